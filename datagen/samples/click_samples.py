"""Training samples of a network that segments by clicks: one picture, and a user's first clicks on one of its objects.

After Benard and Gygli (2017), who train on PASCAL VOC with clicks as Xu et al. (CVPR 2016) simulate them. Clicks that
correct a mask need the mask that a network answers with: the training step draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..augmentation.colour import JitterRange
from ..compositing.stills import Still
from ..simulation.clicks.clicks import Click, ClickSettings
from ..simulation.clicks.negative_clicks import first_clicks
from .object_crops import ObjectCropPart, ObjectCropSettings, draw_object_crop

MAX_CLICKS = 64
"""Rows of the table of clicks of a sample."""


@dataclass(frozen=True, kw_only=True)
class ClickSampleSettings(ObjectCropSettings):
    """How a still becomes a sample; `ObjectCropSettings` says what the crop shows, `users` where it is clicked.

    Flip, rotation and scale are DEXTR's (Maninis et al., CVPR 2018); the paper gives none.
    """

    crop_size: int = 512
    scale: tuple[float, float] = (0.75, 1.25)
    several_scale: tuple[float, float] = (0.75, 1.25)
    shear_degrees: float = 0.0
    greyscale_probability: float = 0.0
    jitter: JitterRange = field(default_factory=JitterRange)
    users: ClickSettings = field(default_factory=ClickSettings)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClickSample:
    """rgb uint8 (S, S, 3); labels uint8 (S, S) in {0, 1, 255}; clicks float32 (64, 3), see `click_table`.

    labels are 1 on the object, and 255 is to be ignored. object_id: that of the object in the still, 0 for none.
    """

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "clicks", "key")

    rgb: np.ndarray
    labels: np.ndarray
    clicks: np.ndarray
    key: str
    object_id: int


def sample_clicks(rng: np.random.Generator, still: Still, settings: ClickSampleSettings) -> ClickSample:
    """Draw a crop of a still, one of its objects, and a user's first clicks; no negative click is on ignored pixels."""
    crop = draw_object_crop(rng, still, settings)
    others = () if crop.other is None else (crop.other,)
    clicks = first_clicks(rng, crop.true_mask, others, settings.users)
    if crop.ignored is not None:
        clicks = tuple(click for click in clicks if click.positive or not crop.ignored[click.pixel])
    return ClickSample(
        rgb=crop.rgb, labels=crop.labels(), clicks=click_table(clicks), key=still.name, object_id=crop.object_id
    )


class ClickPart(ObjectCropPart[ClickSampleSettings]):
    """Stills of a source, as samples of a network that segments by clicks."""

    draw = staticmethod(sample_clicks)


def click_table(clicks: Sequence[Click], rows: int = MAX_CLICKS) -> np.ndarray:
    """Clicks as float32 (rows, 3): x and y in pixels, 1 for positive or -1 for negative; rows of zeros are no clicks.

    So samples with any number of clicks stack. Of more clicks than rows the first ones are kept.
    """
    table = np.zeros((rows, 3), np.float32)
    for row, click in zip(table, clicks, strict=False):
        row[:] = click.x, click.y, 1 if click.positive else -1
    return table


def clicks_of_table(table: np.ndarray) -> tuple[Click, ...]:
    """The inverse of `click_table`."""
    return tuple(Click(x=float(x), y=float(y), positive=bool(sign > 0)) for x, y, sign in table if sign)
