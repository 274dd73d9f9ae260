"""Training samples of a correcting network: one picture, a mask with errors, and the scribbles that correct it.

After the published data of Scribble-to-Mask (MiVOS: Cheng et al., CVPR 2021): stills by static_dataset.py, pictures of
several objects by lvis_dataset.py.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..compositing.stills import Still
from ..simulation.scribbles.correction_sample import CorrectionSettings, sample_correction
from .object_crops import ObjectCropPart, ObjectCropSettings, draw_object_crop


@dataclass(frozen=True, kw_only=True)
class StillCorrectionSettings(ObjectCropSettings, CorrectionSettings):
    """How a still becomes a sample: the crop by `ObjectCropSettings`, its mask and scribbles by `CorrectionSettings`.

    Defaults as published.
    """

    def __post_init__(self) -> None:
        CorrectionSettings.__post_init__(self)
        ObjectCropSettings.__post_init__(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class StillCorrection:
    """rgb uint8 (S, S, 3); current_mask, positive, negative bool (S, S); labels uint8 (S, S) in {0, 1, 255}.

    current_mask is the mask to correct, empty in a first round; positive and negative are what the user drew for the
    object and for all else; labels are 1 on the object, and 255 is to be ignored. object_id: that of the object in the
    still, 0 for none; kinds: names of what was drawn.
    """

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "current_mask", "positive", "negative", "labels", "key")

    rgb: np.ndarray
    current_mask: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    labels: np.ndarray
    key: str
    object_id: int
    kinds: tuple[str, ...]


def sample_still_correction(
    rng: np.random.Generator, still: Still, settings: StillCorrectionSettings
) -> StillCorrection:
    """Draw a crop of a still, one of its objects, a mask of it with errors, and the user who corrects it.

    Where the crop shows another object, that may take part: see `CorrectionSettings`.
    """
    crop = draw_object_crop(rng, still, settings)
    correction = sample_correction(rng, crop.true_mask, crop.other, settings, crop.ignored)
    return StillCorrection(
        rgb=crop.rgb,
        current_mask=correction.current_mask,
        positive=correction.user.positive,
        negative=correction.user.negative,
        labels=crop.labels(),
        key=still.name,
        object_id=crop.object_id,
        kinds=correction.user.kinds,
    )


class CorrectionPart(ObjectCropPart[StillCorrectionSettings]):
    """Stills of a source, as samples of a correcting network."""

    draw = staticmethod(sample_still_correction)
