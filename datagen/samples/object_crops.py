"""Crops of stills that show one object to segment: an affine map, a change of colours, and the masks under it.

The draws are those of the published data of Scribble-to-Mask (MiVOS: Cheng et al., CVPR 2021), static_dataset.py and
lvis_dataset.py. Other systems that learn from single pictures use them with other ranges.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np

from ..augmentation.affine import (
    BORDER_RGB,
    MAX_SHEAR_DEGREES,
    centred_matrix,
    flip_matrix,
    scale_matrix,
    translation_matrix,
    warp_ids,
)
from ..augmentation.colour import ColourChange, JitterRange, change_colour, draw_jitter, mean_colour
from ..augmentation.warp import Warp, warp_views
from ..compositing.stills import Still, StillSource
from ..corpus.records import IGNORE_ID
from ..corpus.shards import DamagedFile
from ..simulation.regions import require_limits, require_range, require_share
from .crop_size import require_crop_size
from .parts import Draw, Sample

PUBLISHED_CROP = 480
Settings = TypeVar("Settings", bound="ObjectCropSettings")


@dataclass(frozen=True, kw_only=True)
class ObjectCropSettings:
    """How a still becomes a crop that shows an object; the defaults are Scribble-to-Mask's.

    crop_size: side of the square result in pixels. short_side: pixels to which the still's shorter side is scaled
    before the crop, None for the crop's (then the crop holds the whole of it, at scale 1).
    scale: about the centre; several_scale: the same for a still of several objects (published for LVIS).
    rotation_degrees, shear_degrees (+-), flip_probability, jitter, greyscale_probability: once for the picture.
    min_object_area, min_other_area: pixels of a 480x480 crop (scaled with the crop) that the object to segment, and
    another one that takes part, must show in a still of several objects; the object of a still of one may have any
    size. (Published for LVIS, but there as a choice of annotations by their area in the picture.) Where no object
    does, the crop is drawn again, at most `max_redraws` times (ours); then the largest object is taken, and without any
    the sample is all background.
    """

    crop_size: int = PUBLISHED_CROP
    short_side: int | None = None
    scale: tuple[float, float] = (0.8, 1.25)
    several_scale: tuple[float, float] = (0.8, 1.0)
    rotation_degrees: float = 20.0
    shear_degrees: float = 10.0
    flip_probability: float = 0.5
    greyscale_probability: float = 0.05
    jitter: JitterRange = field(default_factory=lambda: JitterRange(brightness=0.1, contrast=0.03, saturation=0.03))
    min_object_area: float = 50**2
    min_other_area: float = 30**2
    max_redraws: int = 5

    def __post_init__(self) -> None:
        require_crop_size(self.crop_size, self.short_side)
        require_range("scale", self.scale, 0.01)
        require_range("several_scale", self.several_scale, 0.01)
        require_share(flip_probability=self.flip_probability, greyscale_probability=self.greyscale_probability)
        require_limits(0, rotation_degrees=self.rotation_degrees, max_redraws=self.max_redraws)
        require_limits(0, MAX_SHEAR_DEGREES, shear_degrees=self.shear_degrees)
        require_limits(0, min_object_area=self.min_object_area, min_other_area=self.min_other_area)


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectCrop:
    """rgb uint8 (S, S, 3); true_mask bool (S, S), empty without an object; other, ignored the same, None for none.

    object_id: that of the object in the still, 0 for none. other: another object of the still, off the true mask.
    ignored: pixels off the object of which nobody knows what they are.
    """

    rgb: np.ndarray
    true_mask: np.ndarray
    other: np.ndarray | None
    ignored: np.ndarray | None
    object_id: int

    def labels(self) -> np.ndarray:
        """1 on the object, 255 to be ignored, else 0: uint8 (S, S)."""
        labels = self.true_mask.astype(np.uint8)
        if self.ignored is not None:
            labels[self.ignored] = IGNORE_ID
        return labels


def draw_object_crop(rng: np.random.Generator, still: Still, settings: ObjectCropSettings) -> ObjectCrop:
    """Draw a crop of a still, one of the objects in it, and where there is one another that may take part."""
    matrix, object_id, other_id, has_ignored = _draw_crop_with_object(rng, still, settings)
    change = draw_jitter(rng, settings.jitter)
    greyscale = ColourChange(saturation=float(rng.random() >= settings.greyscale_probability))
    mean = mean_colour(still.rgb)
    # What the crop does not show is not warped: half of the time went into empty masks.
    wanted = [value for value, shows in ((object_id, True), (other_id, other_id), (IGNORE_ID, has_ignored)) if shows]
    view = next(
        warp_views(
            still.rgb,
            [(still.ids == value).view(np.uint8) * np.uint8(255) for value in wanted],
            [Warp(matrix=matrix)],
            settings.crop_size,
            border=BORDER_RGB,
            recolour=lambda part: change_colour(part, change, greyscale, mean=mean),
        )
    )
    shown = dict(zip(wanted, (mask >= 128 for mask in view.masks), strict=True))
    # Id 0 stands for no object, and is the background in the still.
    true_mask = shown[object_id] if object_id else np.zeros_like(shown[object_id])
    return ObjectCrop(
        rgb=view.rgb,
        true_mask=true_mask,
        other=shown[other_id] & ~true_mask if other_id else None,
        ignored=shown[IGNORE_ID] & ~true_mask if has_ignored else None,
        object_id=object_id,
    )


def read_still(source: StillSource, rng: np.random.Generator, item: int) -> Still:
    """Read a still of a source; DamagedFile names one that cannot be read."""
    try:
        return source.read(rng, item)
    except (ValueError, FileNotFoundError) as error:
        raise DamagedFile(str(error), source.name(item)) from error


def united(still: Still) -> Still:
    """Return the still with all its objects as one, id 1."""
    ids = np.where(still.ids == IGNORE_ID, np.uint8(IGNORE_ID), (still.ids > 0).astype(np.uint8))
    return replace(still, ids=ids)


class ObjectCropPart(Generic[Settings]):
    """Stills of a source, each sample drawn from a crop of one by `draw`; subclasses are kinds of samples.

    Items are the stills. Each visit draws one object of one frame; the curriculum of the jump does not touch it.
    """

    num_frames = 1
    draw: Callable[[np.random.Generator, Still, Settings], Sample]
    """(rng, still, settings) -> a sample; a static method."""

    def __init__(self, source: StillSource, *, settings: Settings, weight: float = 1.0) -> None:
        self.source, self.settings, self.weight = source, settings, weight
        self.crop_size = settings.crop_size

    def __len__(self) -> int:
        return len(self.source)

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> Sample:
        """Draw a sample of a still; DamagedFile names a still that cannot be read."""
        return self.draw(rng, read_still(self.source, rng, item), self.settings)

    def fetch(self, item: int) -> Draw:
        """Return `sample` for one still; reading it again costs little beside a sample."""
        return lambda rng, max_jump: self.sample(rng, item, max_jump)


def _draw_crop_with_object(
    rng: np.random.Generator, still: Still, settings: ObjectCropSettings
) -> tuple[np.ndarray, int, int, bool]:
    """Return the matrix from still to crop, the object to segment, another (id 0: none), and if pixels are ignored."""
    pixels = (settings.crop_size / PUBLISHED_CROP) ** 2
    least = settings.min_object_area * pixels if len(still.object_ids()) > 1 else 1
    for _ in range(1 + settings.max_redraws):
        matrix = _draw_matrix(rng, still, settings)
        areas = np.bincount(warp_ids(still.ids, matrix, settings.crop_size).ravel(), minlength=256)
        has_ignored = bool(areas[IGNORE_ID])
        areas[[0, IGNORE_ID]] = 0
        usable = np.flatnonzero(areas >= max(1, least))
        if len(usable):
            break
    else:
        # Without any object the largest area is that of id 0.
        usable = np.array([areas.argmax()])
    object_id = int(rng.choice(usable))
    areas[object_id] = 0
    others = np.flatnonzero(areas >= max(1, settings.min_other_area * pixels))
    return matrix, object_id, int(rng.choice(others)) if len(others) else 0, has_ignored


def _draw_matrix(rng: np.random.Generator, still: Still, settings: ObjectCropSettings) -> np.ndarray:
    """An affine map about the still's centre, a flip, the resize of the shorter side, and the place of the crop."""
    height, width = still.ids.shape
    scale = settings.several_scale if len(still.object_ids()) > 1 else settings.scale
    whole = centred_matrix(
        (width / 2, height / 2),
        rotation_degrees=rng.uniform(-settings.rotation_degrees, settings.rotation_degrees),
        scale=rng.uniform(*scale),
        shear_degrees=rng.uniform(-settings.shear_degrees, settings.shear_degrees),
    )
    if rng.random() < settings.flip_probability:
        whole = flip_matrix(width) @ whole
    enlarge = (settings.short_side or settings.crop_size) / min(width, height)
    left, top = rng.random(2) * (np.array([width, height]) * enlarge - settings.crop_size)
    return translation_matrix(-left, -top) @ scale_matrix(enlarge, enlarge) @ whole
