"""Training samples of a network that tells foreground from background: a picture and its mask.

The ranges are those of OSVOS's parent network (Caelles et al., CVPR 2017).
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from ..augmentation.colour import JitterRange
from ..compositing.stills import Still
from .object_crops import ObjectCropPart, ObjectCropSettings, draw_object_crop, united


@dataclass(frozen=True, kw_only=True)
class ForegroundSettings(ObjectCropSettings):
    """Crops with a mask; the ranges are those of OSVOS's parent network (scale, rotation, flip).

    objects: all objects of a picture as one, as in DAVIS 2016, or one of them.
    """

    scale: tuple[float, float] = (0.75, 1.25)
    several_scale: tuple[float, float] = (0.75, 1.25)
    rotation_degrees: float = 30.0
    shear_degrees: float = 0.0
    greyscale_probability: float = 0.0
    jitter: JitterRange = field(default_factory=JitterRange)
    objects: Literal["union", "each"] = "union"


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreground:
    """rgb uint8 (S, S, 3); labels uint8 (S, S): 1 on the foreground, 255 to be ignored, else 0."""

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "key")

    rgb: np.ndarray
    labels: np.ndarray
    key: str


def sample_foreground(rng: np.random.Generator, still: Still, settings: ForegroundSettings) -> Foreground:
    """Draw a crop of a still, and all of its objects or one of them."""
    crop = draw_object_crop(rng, united(still) if settings.objects == "union" else still, settings)
    return Foreground(rgb=crop.rgb, labels=crop.labels(), key=still.name)


class ForegroundPart(ObjectCropPart[ForegroundSettings]):
    """Stills of a source, as pictures with a foreground."""

    draw = staticmethod(sample_foreground)
