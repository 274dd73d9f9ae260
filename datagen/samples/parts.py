"""The parts of a mixture: what a sample is, where samples come from, and the clips of a corpus as triplets."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np

from ..corpus.fetched import FetchedClip
from ..corpus.reader import Corpus
from ..corpus.shards import DamagedFile
from .triplets import MIN_FRAMES, ClipSource, TripletSettings, divided_jump, sample_triplet

Settings = TypeVar("Settings")


class Sample(Protocol):
    """One sample: a dataclass that names in BATCHED the fields that go into a batch; see `loader.collate`."""

    BATCHED: ClassVar[tuple[str, ...]]
    key: str


Draw = Callable[[np.random.Generator, int], Sample]
"""(rng, max_jump) -> a sample of one item."""


class SamplePart(Protocol):
    """One part of a mixture: `len` items (clips, stills), each of which gives any number of samples.

    weight: draws of each item in an epoch, see `EpochOrder`. crop_size: side of the samples in pixels; num_frames:
    their frames; both equal in all parts of a mixture. The same rng state, item and max_jump give the same sample.
    DamagedFile says that the stored bytes of the item are not what was written.
    """

    weight: float
    crop_size: int
    num_frames: int

    def __len__(self) -> int: ...

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> Sample:
        """Draw a sample of an item; max_jump is the largest gap of its frames, for clips."""
        ...

    def fetch(self, item: int) -> Draw:
        """Read all bytes of an item at once, for several samples of it."""
        ...


class CorpusPart(Generic[Settings]):
    """Clips of a corpus, each sample drawn from some frames of one clip by `draw`; subclasses are kinds of samples.

    Items are the clips of the split with at least `least_frames` frames that have ids; only those frames are drawn, so
    clips with sparse annotation serve as they are. jump_divisor: the curriculum's jump counts frames of the video, so a
    corpus that holds every n-th of them has the divisor n (YouTube-VOS's training frames: 5); None takes that of the
    first clip that can be read, as its metadata tells it (see `video_step`).

    ValueError when the corpus has no such clip.
    """

    num_frames: int
    least_frames: int
    draw: Callable[[np.random.Generator, ClipSource, str, int, Settings], Sample]
    """(rng, corpus, key, max_jump, settings) -> a sample; a static method."""

    def __init__(
        self,
        corpus: Corpus,
        *,
        settings: Settings,
        weight: float = 1.0,
        split: Literal["train", "val", "all"] = "train",
        jump_divisor: int | None = None,
    ) -> None:
        if jump_divisor is not None and jump_divisor < 1:
            raise ValueError(f"jump_divisor is {jump_divisor}, it must be at least 1")
        self.corpus, self.settings, self.weight = corpus, settings, weight
        self.crop_size = settings.crop_size
        self.keys = usable_keys(corpus, split, self.least_frames)
        self.jump_divisor = jump_divisor or step_of_corpus(corpus, self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def sample(self, rng: np.random.Generator, item: int, max_jump: int) -> Sample:
        """Draw a sample of a clip, by one read for each of its frames."""
        jump = divided_jump(max_jump, self.jump_divisor)
        return self.draw(rng, self.corpus, self.keys[item], jump, self.settings)

    def fetch(self, item: int) -> Draw:
        """Read a whole clip by one read; its samples are those that `sample` gives."""
        clip = FetchedClip(self.corpus, self.keys[item])
        draw, divisor, settings = self.draw, self.jump_divisor, self.settings
        return lambda rng, max_jump: draw(rng, clip, clip.key, divided_jump(max_jump, divisor), settings)


class ClipPart(CorpusPart[TripletSettings]):
    """Clips of a corpus, as triplets."""

    num_frames = least_frames = MIN_FRAMES
    draw = staticmethod(sample_triplet)


def video_step(metadata: Mapping[str, Any]) -> int:
    """Return n where a clip holds every n-th frame of its video, 1 where it holds all or does not tell.

    metadata: of a clip. A packed clip names its frames as its source did; where those names are numbers that ascend,
    the median of their gaps counts. YouTube-VOS: 00000, 00005, 00010 and so on give 5.
    """
    names = metadata.get("source", {}).get("frames", ())
    if len(names) < 2 or not all(name.isdecimal() for name in names):
        return 1
    return max(1, int(np.median(np.diff([int(name) for name in names]))))


def step_of_corpus(corpus: Corpus, keys: Sequence[str]) -> int:
    """Return `video_step` of the first clip of the keys that can be read."""
    # One clip speaks for all: a corpus is packed from one source, and each clip would cost one more read.
    for key in keys:
        try:
            return video_step(corpus.metadata(key))
        except DamagedFile:
            continue  # whoever draws from it stops or skips, as was asked
    return 1


def usable_keys(corpus: Corpus, split: Literal["train", "val", "all"], least_frames: int = MIN_FRAMES) -> list[str]:
    """Return the keys of the clips of a split with ids in `least_frames` frames or more, 3 for triplets.

    ValueError when there is none, or when none of them shows an object.
    """
    clips = corpus.split(split)
    usable = [clip.key for clip in clips if corpus.num_annotated(clip.key) >= least_frames]
    if not usable:
        raise ValueError(
            f'{corpus.root} has no clip of {least_frames} frames or more in its split "{split}" (frames without ids do '
            "not count); give another corpus"
        )
    shown = {clip.key for clip in clips if clip.object_ids}
    if shown.isdisjoint(usable):
        raise ValueError(f'no clip of {corpus.root} in its split "{split}" shows an object; give another corpus')
    return usable
