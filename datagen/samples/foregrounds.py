"""Training samples of a network that tells foreground from background: a picture and its mask.

The ranges are those of OSVOS's parent network (Caelles et al., CVPR 2017).
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from ..augmentation.colour import JitterRange
from ..compositing.stills import StillSource
from .object_crops import ObjectCropSettings, draw_object_crop, read_still, united
from .parts import Draw


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
    jitter: JitterRange = field(default_factory=lambda: JitterRange(brightness=0.0, contrast=0.0, saturation=0.0))
    objects: Literal["union", "each"] = "union"


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreground:
    """rgb uint8 (S, S, 3); labels uint8 (S, S): 1 on the foreground, 255 to be ignored, else 0."""

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "key")

    rgb: np.ndarray
    labels: np.ndarray
    key: str


class ForegroundPart:
    """Stills of a source as pictures with a foreground; items are the stills. The jump does not touch them."""

    num_frames = 1

    def __init__(self, source: StillSource, *, settings: ForegroundSettings, weight: float = 1.0) -> None:
        self.source, self.settings, self.weight = source, settings, weight
        self.crop_size = settings.crop_size

    def __len__(self) -> int:
        return len(self.source)

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> Foreground:
        """Draw a crop of a still; DamagedFile names a still that cannot be read."""
        still = read_still(self.source, rng, item)
        crop = draw_object_crop(rng, united(still) if self.settings.objects == "union" else still, self.settings)
        return Foreground(rgb=crop.rgb, labels=crop.labels(), key=still.name)

    def fetch(self, item: int) -> Draw:
        """Return `sample` for one still; reading it again costs little beside a sample."""
        return lambda rng, max_jump: self.sample(rng, item, max_jump)
