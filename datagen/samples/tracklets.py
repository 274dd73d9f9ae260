"""Training samples: several frames of a clip with the masks of one object (IPN and ATNet, training on videos)."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..augmentation.affine import (
    MAX_SHEAR_DEGREES,
    centred_matrix,
    flip_matrix,
    scale_matrix,
    translation_matrix,
    warp_ids,
    warp_rgb,
)
from ..augmentation.colour import ColourChange, JitterRange, draw_jitter
from ..corpus.labels import labels_of
from ..corpus.records import IGNORE_ID
from ..simulation.regions import require_limits, require_range, require_share
from .crop_size import require_crop_size
from .parts import CorpusPart
from .triplets import ClipSource, divided_jump

_PUBLISHED_CROP = 400


@dataclass(frozen=True, kw_only=True)
class TrackletSettings:
    """How a clip becomes a tracklet; the defaults are IPN's, and where its paper states none, those of a user who
    trained it again.

    crop_size: side of the square result in pixels. num_frames: T. window: the frames after the first are drawn, in
    order of time, from so many neighbours of it, all on one side; None for T - 1, its nearest neighbours.
    reverse_probability: of running backwards.
    short_side: frames are scaled to it first, None for crop_size; the crop lies anywhere in what it then is.
    For all frames at once: flip_probability, greyscale_probability, clip_jitter, rotation_degrees, shear_degrees (about
    the centre, +-), scale. Anew for each frame: frame_rotation_degrees, frame_shear_degrees, frame_scale, frame_jitter.
    min_object_area: pixels that the object shows in the first frame at least, of a crop of 400x400 (scaled with it).
    max_resamples: fresh draws when no object does; then the tracklet is all background.
    """

    crop_size: int = 400
    num_frames: int = 8
    window: int | None = None
    reverse_probability: float = 0.5
    short_side: int | None = 480
    flip_probability: float = 0.5
    greyscale_probability: float = 0.0
    clip_jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.1, contrast=0.03, saturation=0.03)
    )
    frame_jitter: JitterRange = field(default_factory=JitterRange)
    rotation_degrees: float = 25.0
    shear_degrees: float = 15.0
    scale: tuple[float, float] = (0.9, 1.1)
    frame_rotation_degrees: float = 0.0
    frame_shear_degrees: float = 0.0
    frame_scale: tuple[float, float] = (1.0, 1.0)
    min_object_area: float = 10**2
    max_resamples: int = 5

    def __post_init__(self) -> None:
        require_crop_size(self.crop_size, self.short_side)
        if self.num_frames < 1:
            raise ValueError(f"num_frames is {self.num_frames}, it must be 1 or more")
        if self.window is not None and self.window < self.num_frames - 1:
            raise ValueError(
                f"window is {self.window}, too few neighbours for num_frames {self.num_frames}; give "
                f"{self.num_frames - 1} or more, or None"
            )
        require_range("scale", self.scale, 0.01)
        require_range("frame_scale", self.frame_scale, 0.01)
        require_share(
            reverse_probability=self.reverse_probability,
            flip_probability=self.flip_probability,
            greyscale_probability=self.greyscale_probability,
        )
        require_limits(0, rotation_degrees=self.rotation_degrees, frame_rotation_degrees=self.frame_rotation_degrees)
        require_limits(
            0, MAX_SHEAR_DEGREES, shear_degrees=self.shear_degrees, frame_shear_degrees=self.frame_shear_degrees
        )
        require_limits(0, max_resamples=self.max_resamples, min_object_area=self.min_object_area)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracklet:
    """rgb uint8 (T, S, S, 3); labels uint8 (T, S, S), 1 on the object, 255 is to be ignored.

    object_id: the object's in the clip, 0 for none, where all is background. selector float32 (1,), always 1: the
    network is asked for one object even where there is none. frames: numbers in the clip, in the order of the tracklet.
    """

    BATCHED: ClassVar[tuple[str, ...]] = ("rgb", "labels", "selector", "key", "frames", "object_id")

    rgb: np.ndarray
    labels: np.ndarray
    selector: np.ndarray
    key: str
    frames: tuple[int, ...]
    object_id: int


def draw_neighbours(
    rng: np.random.Generator, num_frames: int, settings: TrackletSettings, max_jump: int
) -> tuple[int, ...]:
    """Draw T frame numbers of 0 .. num_frames - 1.

    The first lies anywhere, the others are drawn, in order, from its `window` neighbours on one side; these are 1 to
    max_jump frames apart, the same number for all. Where the window does not fit into the clip its frames come nearer
    to one another first, then it loses frames, and in a clip of less than T frames they go to and fro (0 1 2 1 0 ...).

    ValueError for a clip without frames, and for max_jump below 1.
    """
    if num_frames < 1 or max_jump < 1:
        raise ValueError(f"a tracklet needs num_frames >= 1 and max_jump >= 1, got {num_frames} and {max_jump}")
    least = settings.num_frames - 1
    window = least if settings.window is None else max(least, min(settings.window, num_frames - 1))
    chosen = np.concatenate([[0], 1 + np.sort(rng.permutation(window)[:least])]).astype(int)
    jump = min(int(rng.integers(1, max_jump + 1)), max(1, (num_frames - 1) // max(1, window)))
    start = int(rng.integers(max(1, num_frames - jump * window)))
    places = start + jump * chosen
    if num_frames > 1:
        turn = places % (2 * (num_frames - 1))
        places = np.where(turn < num_frames, turn, 2 * (num_frames - 1) - turn)
    else:
        places = np.zeros_like(chosen)
    if rng.random() < settings.reverse_probability:
        places = num_frames - 1 - places
    return tuple(int(place) for place in places)


def sample_tracklet(
    rng: np.random.Generator, corpus: ClipSource, key: str, max_jump: int, settings: TrackletSettings
) -> Tracklet:
    """Draw a tracklet from the frames of a clip that have ids; the same rng state gives the same tracklet.

    max_jump counts frames of the clip: where every n-th of them has ids, max_jump // n of those, at least one.
    """
    annotated = corpus.annotated_frames(key)
    if not len(annotated):
        raise ValueError(f"clip {key} has ids in no frame, a tracklet needs one")
    spacing = int(np.median(np.diff(annotated))) if len(annotated) > 1 else 1
    least = settings.min_object_area * (settings.crop_size / _PUBLISHED_CROP) ** 2
    for _ in range(1 + settings.max_resamples):
        drawn = draw_neighbours(rng, len(annotated), settings, divided_jump(max_jump, spacing))
        frames = tuple(int(annotated[number]) for number in drawn)
        # A clip that goes to and fro shows some of its frames twice.
        stored = {t: corpus.read_frame(key, t) for t in dict.fromkeys(frames)}
        rgb, ids = _augment(rng, [stored[t] for t in frames], settings)
        areas = np.bincount(ids[0].ravel(), minlength=256)
        areas[[0, IGNORE_ID]] = 0
        candidates = np.flatnonzero(areas >= max(1, least))
        if len(candidates):
            break
    object_id = int(rng.choice(candidates)) if len(candidates) else 0
    return Tracklet(
        rgb=rgb,
        labels=labels_of(ids, [object_id] if object_id else []),
        selector=np.ones(1, np.float32),
        key=key,
        frames=frames,
        object_id=object_id,
    )


class TrackletPart(CorpusPart[TrackletSettings]):
    """Clips of a corpus, as tracklets of one object.

    Items are the clips of the split with at least one frame that has ids, or two for tracklets of more than one frame.
    """

    @property
    def num_frames(self) -> int:
        """T of the tracklets."""
        return self.settings.num_frames

    @property
    def least_frames(self) -> int:
        """Frames with ids of an item."""
        return min(2, self.settings.num_frames)

    draw = staticmethod(sample_tracklet)


def _augment(
    rng: np.random.Generator, pictures: list[tuple[np.ndarray, np.ndarray]], settings: TrackletSettings
) -> tuple[np.ndarray, np.ndarray]:
    size = settings.crop_size
    height, width = pictures[0][1].shape
    middle = (width / 2, height / 2)
    affine = centred_matrix(
        middle,
        rotation_degrees=rng.uniform(-1, 1) * settings.rotation_degrees,
        scale=rng.uniform(*settings.scale),
        shear_degrees=rng.uniform(-1, 1) * settings.shear_degrees,
    )
    if rng.random() < settings.flip_probability:
        affine = flip_matrix(width) @ affine
    enlarge = (settings.short_side or size) / min(width, height)
    left, top = rng.random(2) * (np.array([width, height]) * enlarge - size)
    crop = translation_matrix(-left, -top) @ scale_matrix(enlarge, enlarge)
    clip_change = draw_jitter(rng, settings.clip_jitter)
    greyscale = ColourChange(saturation=float(rng.random() >= settings.greyscale_probability))
    rgb_frames, ids_frames = [], []
    for rgb, ids in pictures:
        own = centred_matrix(
            middle,
            rotation_degrees=rng.uniform(-1, 1) * settings.frame_rotation_degrees,
            scale=rng.uniform(*settings.frame_scale),
            shear_degrees=rng.uniform(-1, 1) * settings.frame_shear_degrees,
        )
        matrix = crop @ own @ affine
        rgb_frames.append(warp_rgb(rgb, matrix, size, clip_change, draw_jitter(rng, settings.frame_jitter), greyscale))
        ids_frames.append(warp_ids(ids, matrix, size))
    return np.stack(rgb_frames), np.stack(ids_frames)
