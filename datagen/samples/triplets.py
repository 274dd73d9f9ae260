"""Training samples: three frames of a clip with the masks of up to two objects (MiVOS, training on videos)."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from ..augmentation.affine import (
    MAX_SHEAR_DEGREES,
    crop_matrix,
    draw_crop,
    draw_rotation_shear,
    flip_matrix,
    warp_ids,
    warp_rgb,
)
from ..augmentation.colour import ColourChange, JitterRange, draw_jitter
from ..corpus.labels import labels_of
from ..corpus.records import IGNORE_ID
from ..simulation.regions import require_limits, require_range, require_share
from .crop_size import require_crop_size

MIN_FRAMES = 3
NUM_LABELS = 2
_PUBLISHED_CROP = 384


@dataclass(frozen=True, kw_only=True)
class TripletSettings:
    """How a clip becomes a triplet; the defaults are MiVOS's for BL30K.

    crop_size: side of the square result in pixels. Boxes cover `area_scale` of the frame, with width / height in
    `aspect_ratio`, and are resized to the square, so a frame of any size will do.
    flip_probability, greyscale_probability, clip_jitter: once for all three frames.
    rotation_degrees, shear_degrees (about the centre, +-), frame_jitter: anew for each frame.
    Objects are chosen by their area in the first frame, after augmentation, in pixels of a 384x384 crop (scaled with
    the crop): above `min_object_area`; and, with `drop_growing_objects`, either above `large_object_area` there or
    below `grown_object_area` in the other frames.
    max_resamples: fresh draws when no object qualifies; then the triplet is all background.
    """

    crop_size: int = 384
    area_scale: tuple[float, float] = (0.25, 1.0)
    aspect_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip_probability: float = 0.5
    greyscale_probability: float = 0.05
    clip_jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.1, contrast=0.03, saturation=0.03)
    )
    frame_jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.01, contrast=0.01, saturation=0.01)
    )
    rotation_degrees: float = 15.0
    shear_degrees: float = 10.0
    min_object_area: float = 10**2
    large_object_area: float = 30**2
    grown_object_area: float = 20**2
    drop_growing_objects: bool = True
    max_resamples: int = 5

    def __post_init__(self) -> None:
        require_crop_size(self.crop_size)
        require_range("area_scale", self.area_scale, 1e-4, 1)
        require_range("aspect_ratio", self.aspect_ratio, 0.01, 100)
        require_share(flip_probability=self.flip_probability, greyscale_probability=self.greyscale_probability)
        require_limits(0, rotation_degrees=self.rotation_degrees, max_resamples=self.max_resamples)
        require_limits(0, MAX_SHEAR_DEGREES, shear_degrees=self.shear_degrees)
        require_limits(
            0,
            min_object_area=self.min_object_area,
            large_object_area=self.large_object_area,
            grown_object_area=self.grown_object_area,
        )


@dataclass(frozen=True, kw_only=True)
class Triplet:
    """rgb uint8 (3, S, S, 3); labels uint8 (3, S, S) in {0, 1, 2, 255}, 255 is to be ignored; selector float32 (2,).

    `object_ids` are the ids in the clip of labels 1 and 2 (none for an all-background triplet). selector[0] is always
    1, as published (an all-background triplet trains the network to answer nothing); selector[1] is 1 when there is a
    second object. `frames` are the frame numbers, in the order of the triplet.
    """

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "selector", "key", "frames")

    rgb: np.ndarray
    labels: np.ndarray
    selector: np.ndarray
    key: str
    frames: tuple[int, int, int]
    object_ids: tuple[int, ...]


class ClipSource(Protocol):
    """What samples are drawn from; `Corpus` is one."""

    def annotated_frames(self, key: str) -> np.ndarray: ...

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]: ...


def draw_frames(rng: np.random.Generator, num_frames: int, max_jump: int) -> tuple[int, int, int]:
    """Draw three different frame numbers, ascending or (half of the time) descending.

    As MiVOS's video loader: the start is uniform, each gap uniform in 1..max_jump+1, cut at the end of the clip. Two
    defects of it are mended. Its caps can set the second frame onto the first (always, when the clip has max_jump
    frames or less); here each frame keeps room for those after it. And its jump is cut to the length of the clip,
    which pins the first two frames to the start of a short clip; here to half of the length.

    ValueError when the clip has fewer than 3 frames or max_jump is below 1.
    """
    if num_frames < MIN_FRAMES or max_jump < 1:
        raise ValueError(f"three frames need num_frames >= 3 and max_jump >= 1, got {num_frames} and {max_jump}")
    jump = min(max_jump, (num_frames - 1) // 2)
    start = min(int(rng.integers(num_frames - jump + 1)), num_frames - 3)
    second = min(start + 1 + int(rng.integers(jump + 1)), max(num_frames - jump, start + 1), num_frames - 2)
    third = min(second + 1 + int(rng.integers(jump + 1)), max(num_frames - jump // 2, second + 1), num_frames - 1)
    return (third, second, start) if rng.random() < 0.5 else (start, second, third)


def divided_jump(max_jump: int, divisor: int) -> int:
    """Return the jump counted in every n-th frame, at least 1; ValueError for a jump below 1."""
    if max_jump < 1:
        raise ValueError(f"max_jump is {max_jump}, it must be at least 1")
    return max(1, max_jump // divisor)


def read_triplet(
    rng: np.random.Generator, corpus: ClipSource, key: str, max_jump: int
) -> tuple[tuple[int, int, int], list[tuple[np.ndarray, np.ndarray]]]:
    """Draw three frames that have ids and return their numbers and their decoded pictures and ids, as stored.

    max_jump counts frames of the clip: where every n-th of them has ids, max_jump // n of those (at least one) are
    passed over at most, as published for YouTube-VOS. ValueError for a clip with fewer than 3 such frames.
    """
    annotated = corpus.annotated_frames(key)
    if len(annotated) < MIN_FRAMES:
        raise ValueError(f"clip {key} has ids in {len(annotated)} frames, a triplet needs {MIN_FRAMES}")
    spacing = int(np.median(np.diff(annotated)))
    drawn = draw_frames(rng, len(annotated), divided_jump(max_jump, spacing))
    frames = tuple(int(annotated[number]) for number in drawn)
    return frames, [corpus.read_frame(key, t) for t in frames]


def sample_triplet(
    rng: np.random.Generator, corpus: ClipSource, key: str, max_jump: int, settings: TripletSettings
) -> Triplet:
    """Draw a triplet from the frames of a clip that have ids; the same rng state gives the same triplet.

    max_jump: largest number of frames passed over between two frames (see `read_triplet`).
    """
    for _ in range(1 + settings.max_resamples):
        frames, pictures = read_triplet(rng, corpus, key, max_jump)
        rgb, ids = _augment(rng, pictures, settings)
        candidates = usable_objects(ids, settings)
        if len(candidates):
            break
    chosen = rng.permutation(candidates)[:NUM_LABELS]
    return Triplet(
        rgb=rgb,
        labels=labels_of(ids, chosen),
        selector=np.array([1, len(chosen) == 2], np.float32),
        key=key,
        frames=frames,
        object_ids=tuple(int(object_id) for object_id in chosen),
    )


def usable_objects(ids: np.ndarray, settings: TripletSettings) -> np.ndarray:
    """Return the ids that may be trained on, ascending; ids: uint8 (3, S, S), the first frame decides.

    MiVOS's rule for BL30K: large enough in the first frame, and not one of which the first frame shows only a scrap.
    """
    areas = np.stack([np.bincount(frame.ravel(), minlength=256) for frame in ids])
    areas = areas * (_PUBLISHED_CROP / settings.crop_size) ** 2
    usable = areas[0] > settings.min_object_area
    if settings.drop_growing_objects:
        usable &= (areas[0] > settings.large_object_area) | (areas[1:].max(0) < settings.grown_object_area)
    usable[[0, IGNORE_ID]] = False
    return np.flatnonzero(usable)


def _augment(
    rng: np.random.Generator, pictures: list[tuple[np.ndarray, np.ndarray]], settings: TripletSettings
) -> tuple[np.ndarray, np.ndarray]:
    size = settings.crop_size
    height, width = pictures[0][1].shape
    whole = crop_matrix(draw_crop(rng, height, width, settings.area_scale, settings.aspect_ratio), size)
    if rng.random() < settings.flip_probability:
        whole = flip_matrix(size) @ whole
    clip_change = draw_jitter(rng, settings.clip_jitter)
    greyscale = ColourChange(saturation=float(rng.random() >= settings.greyscale_probability))
    rgb_frames, ids_frames = [], []
    for rgb, ids in pictures:
        matrix = draw_rotation_shear(rng, settings.rotation_degrees, settings.shear_degrees, size) @ whole
        frame_change = draw_jitter(rng, settings.frame_jitter)
        rgb_frames.append(warp_rgb(rgb, matrix, size, clip_change, frame_change, greyscale))
        ids_frames.append(warp_ids(ids, matrix, size))
    return np.stack(rgb_frames), np.stack(ids_frames)
