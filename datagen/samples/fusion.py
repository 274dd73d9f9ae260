"""Samples of fusion: two masks of an object in one frame, carried from two interactions (MiVOS, `fusion_dataset.py`).

S side of the crop, 2 objects. The masks are those of a corpus that `vosforge-train fusion-data` made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from ..augmentation.affine import BORDER_RGB
from ..augmentation.colour import JitterRange, change_colour, draw_jitter
from ..corpus.labels import labels_of
from ..corpus.reader import Corpus
from ..corpus.records import IGNORE_ID
from ..corpus.soft_mask_reader import SoftMaskReader
from ..simulation.regions import require_limits, require_share
from .crop_size import require_crop_size
from .fusion_draws import NUM_OBJECTS, FusionDraw, FusionPair, draw_fusion, draw_of_pairs, fusion_pairs
from .parts import Draw

MORE_REFERENCES = (
    "make fusion data with a smaller --separation, a larger --reach or a smaller --min-area, in another folder"
)
_PUBLISHED_CROP = 384


@dataclass(frozen=True, kw_only=True)
class FusionSampleSettings:
    """How a clip becomes a sample; the defaults are MiVOS's.

    crop_size: side of the square crop in pixels, at the scale of the clip; smaller frames are padded, and ignored
    there. A draw is taken back when fewer than `min_differing_area` pixels of a 384x384 crop (scaled with the crop)
    differ by more than `differing` between the two masks of the first object, except in the last `lenient_trials` of
    `max_trials`; after `own_clip_trials` other clips are tried. between: only frames between the two interactions, as
    fusion meets them at inference; published training takes any.
    """

    crop_size: int = 384
    flip_probability: float = 0.5
    jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.1, contrast=0.03, saturation=0.03, hue=0.01)
    )
    min_differing_area: float = 100
    differing: float = 0.1
    max_trials: int = 20
    lenient_trials: int = 5
    own_clip_trials: int = 5
    between: bool = False

    def __post_init__(self) -> None:
        require_crop_size(self.crop_size)
        require_share(flip_probability=self.flip_probability)
        require_limits(0, 1, differing=self.differing)
        require_limits(0, min_differing_area=self.min_differing_area)
        if not 0 <= self.lenient_trials <= self.max_trials or self.max_trials < 1 or self.own_clip_trials < 1:
            raise ValueError(
                f"max_trials is {self.max_trials}, lenient_trials {self.lenient_trials} and own_clip_trials "
                f"{self.own_clip_trials}; the first and the last must be at least 1, the second 0 to max_trials"
            )


@dataclass(frozen=True, kw_only=True)
class FusionSample:
    """A frame to be fused, and the frame of the new interaction, both under one crop.

    rgb, rgb_interaction: uint8 (S, S, 3). labels, labels_interaction: uint8 (S, S) in {0, 1, 2, 255}, the true masks in
    both, 255 to be ignored. previous, new: uint8 (2, S, S), soft masks in the frame to be fused, 255 stands for 1:
    those that were there (carried from the previous interaction) and those carried from the new one. previous_there:
    uint8 (2, S, S), what the previous interaction had made of the frame of the new one. distances: float32 (2,), those
    of the frame from the previous interaction and from the new one, over the distance of the two.
    selector: float32 (2,), [1, 1 when there is a second object]. frames: the frame to be fused, the previous
    interaction, the new one. object_ids: the ids in the clip of labels 1 and 2.
    """

    BATCHED: ClassVar[tuple[str, ...]] = (
        "rgb",
        "rgb_interaction",
        "labels",
        "labels_interaction",
        "previous",
        "new",
        "previous_there",
        "distances",
        "selector",
        "key",
        "frames",
    )

    rgb: np.ndarray
    rgb_interaction: np.ndarray
    labels: np.ndarray
    labels_interaction: np.ndarray
    previous: np.ndarray
    new: np.ndarray
    previous_there: np.ndarray
    distances: np.ndarray
    selector: np.ndarray
    key: str
    frames: tuple[int, int, int]
    object_ids: tuple[int, ...]


class FusionPart:
    """Clips with soft masks as a part of a mixture; items are the clips of the split.

    A clip without two references that know one object in a third frame (see `fusion_pairs`) gives samples of the
    others. ValueError when the corpus has no soft masks, or the split no clip, or none that a sample can be drawn from.
    """

    num_frames = 1

    def __init__(
        self,
        corpus: Corpus,
        *,
        settings: FusionSampleSettings,
        weight: float = 1.0,
        split: Literal["train", "val", "all"] = "train",
    ) -> None:
        self.corpus, self.settings, self.weight = corpus, settings, weight
        self.crop_size = settings.crop_size
        self.masks = SoftMaskReader(corpus)
        self.keys = [clip.key for clip in corpus.split(split)]
        if not self.keys:
            raise ValueError(f'{corpus.root} has no clip in its split "{split}"; make fusion data of such clips')
        # Most often the first clip will do; the manifests of all shards would take minutes for a large corpus.
        self._usable = next((key for key in self.keys if self._pairs(key)), None)
        if self._usable is None:
            raise ValueError(
                f'{corpus.root}: of the {len(self.keys)} clips of its split "{split}" none has two references that '
                f"know one object in a frame {'between' if settings.between else 'beside'} them; {MORE_REFERENCES}"
            )

    def __len__(self) -> int:
        return len(self.keys)

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> FusionSample:
        """Draw a sample of a clip, or of another one where its masks agree everywhere; max_jump has no meaning here."""
        settings, kept = self.settings, None
        for trial in range(settings.max_trials):
            other = trial >= settings.own_clip_trials
            key = self.keys[int(rng.integers(len(self.keys))) if other else item]
            drawn = draw_fusion(rng, self.masks.references(key), self.corpus.annotated_frames(key), settings.between)
            if drawn is None:
                continue
            crop = _Crop.draw(rng, *self._shape(key), settings)
            previous, new = (self._masks(key, t, drawn.target, drawn.object_ids, crop) for t in drawn[1:3])
            kept = key, drawn, crop, previous, new
            if trial >= settings.max_trials - settings.lenient_trials or _differ(previous[0], new[0], settings):
                break
        if kept is None:
            # All trials may miss where few clips, or few frames of them, can be drawn from.
            key = next(key for key in (self.keys[item], self._usable) if self._pairs(key))
            drawn = draw_of_pairs(rng, self._pairs(key))
            crop = _Crop.draw(rng, *self._shape(key), settings)
            kept = key, drawn, crop, *(self._masks(key, t, drawn.target, drawn.object_ids, crop) for t in drawn[1:3])
        return self._finish(rng, *kept)

    def fetch(self, item: int) -> Draw:
        """Return `sample` for one clip: a sample needs few of its bytes."""
        return lambda rng, max_jump: self.sample(rng, item, max_jump)

    def _pairs(self, key: str) -> list[FusionPair]:
        return fusion_pairs(self.masks.references(key), self.corpus.annotated_frames(key), self.settings.between)

    def _shape(self, key: str) -> tuple[int, int]:
        clip = self.corpus.clip(key)
        return clip.height, clip.width

    def _masks(self, key: str, reference: int, t: int, object_ids: Sequence[int], crop: "_Crop") -> np.ndarray:
        masks = np.zeros((NUM_OBJECTS, crop.size, crop.size), np.uint8)
        for number, object_id in enumerate(object_ids):
            masks[number] = crop.apply(self.masks.read(key, reference, object_id, t), 0)
        return masks

    def _finish(
        self,
        rng: np.random.Generator,
        key: str,
        drawn: FusionDraw,
        crop: "_Crop",
        previous: np.ndarray,
        new: np.ndarray,
    ) -> FusionSample:
        change = draw_jitter(rng, self.settings.jitter)
        pictures, labels = [], []
        for t in (drawn.target, drawn.new):
            rgb, ids = self.corpus.read_frame(key, t)
            # Colours first, so that the border keeps its neutral colour, and the means are those of the picture.
            pictures.append(crop.place(change_colour(crop.inside(rgb), change), BORDER_RGB))
            labels.append(crop.apply(labels_of(ids, drawn.object_ids), IGNORE_ID))
        apart = abs(drawn.new - drawn.previous)
        distances = [abs(drawn.target - t) / apart for t in (drawn.previous, drawn.new)]
        return FusionSample(
            rgb=pictures[0],
            rgb_interaction=pictures[1],
            labels=labels[0],
            labels_interaction=labels[1],
            previous=previous,
            new=new,
            previous_there=self._masks(key, drawn.previous, drawn.new, drawn.object_ids, crop),
            distances=np.array(distances, np.float32),
            selector=np.array([1, len(drawn.object_ids) == NUM_OBJECTS], np.float32),
            key=key,
            frames=(drawn.target, drawn.previous, drawn.new),
            object_ids=drawn.object_ids,
        )


class _Crop(NamedTuple):
    """A square of a frame, mirrored or not; where the frame is smaller it lies in the middle."""

    left: int
    top: int
    size: int
    flip: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int, width: int, settings: FusionSampleSettings) -> "_Crop":
        size = settings.crop_size
        left, top = (
            int(rng.integers(side - size + 1)) if side >= size else -((size - side) // 2) for side in (width, height)
        )
        return cls(left, top, size, bool(rng.random() < settings.flip_probability))

    def apply(self, image: np.ndarray, border: int | tuple[int, int, int]) -> np.ndarray:
        """Return the square of an image (H, W[, 3]), uint8; `border` outside of it."""
        return self.place(self.inside(image), border)

    def inside(self, image: np.ndarray) -> np.ndarray:
        """Return what the square shows of an image (H, W[, 3])."""
        return image[max(0, self.top) : self.top + self.size, max(0, self.left) : self.left + self.size]

    def place(self, inside: np.ndarray, border: int | tuple[int, int, int]) -> np.ndarray:
        """Return the square, uint8 (size, size[, 3]), with this of an image in it; `border` outside of it."""
        result = np.empty((self.size, self.size, *inside.shape[2:]), np.uint8)
        result[:] = border
        top, left = max(0, -self.top), max(0, -self.left)
        result[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        return np.ascontiguousarray(result[:, ::-1]) if self.flip else result


def _differ(previous: np.ndarray, new: np.ndarray, settings: FusionSampleSettings) -> bool:
    area = np.count_nonzero(np.abs(previous.astype(np.int16) - new) > 255 * settings.differing)
    return area * (_PUBLISHED_CROP / settings.crop_size) ** 2 >= settings.min_differing_area
