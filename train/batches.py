"""What a stage is trained on: its `data` names how a corpus or a folder of stills becomes a part of its mixture."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..datagen.samples.parts import SamplePart

Split = Literal["train", "val"]


class Source(NamedTuple):
    """One place of data: a folder or URL, and how often it is drawn from, relative to the others."""

    place: Path | str
    weight: float


def make_part(
    data: str, source: Source, *, split: Split = "train", crop_size: int, settings: Mapping[str, Any]
) -> SamplePart:
    """Return the part of a mixture that a place of data gives to a stage with this kind of data.

    settings: those of the samples, by name. ValueError when the place is not what the stage needs.
    """
    return PARTS[data](source, split, crop_size, settings)


def has_held_out(source: Source) -> bool:
    """Whether a place of data is a corpus with a val split."""
    from ..datagen.corpus.reader import Corpus

    return is_corpus(source.place) and bool(Corpus.open(source.place).split("val"))


def is_corpus(place: Path | str) -> bool:
    """Whether a place is a corpus, and no folder of stills; a place that is not there is taken for one."""
    from ..datagen.storage.store import open_store

    return open_store(place).size("index.json") is not None or not Path(place).is_dir()


def _clips(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.corpus.reader import Corpus
    from ..datagen.samples.parts import ClipPart
    from ..datagen.samples.triplets import TripletSettings

    chosen = TripletSettings(crop_size=crop_size, **settings)
    return ClipPart(Corpus.open(source.place), weight=source.weight, split=split, settings=chosen)


def _stills(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.compositing.settings import SequenceSettings
    from ..datagen.samples.stills import StillPart

    chosen = SequenceSettings(size=crop_size, **settings)
    return StillPart(open_stills(source.place, split), weight=source.weight, settings=chosen)


def open_stills(place: Path | str, split: Split) -> Any:
    """Return the stills of a corpus (one frame of each clip of the split), or of a folder of pictures with masks.

    A folder has no split of its own: it gives no stills to "val", which is refused with a ValueError.
    """
    from ..datagen.compositing.still_folder import StillFolder
    from ..datagen.compositing.stills import CorpusStills
    from ..datagen.corpus.reader import Corpus

    if is_corpus(place):
        return CorpusStills(Corpus.open(place), split)
    if split == "val":
        raise ValueError(f"{place} is a folder of stills, which holds none out; validate on a corpus with a val split")
    return StillFolder(place)


def _corrections(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.samples.corrections import CorrectionPart, StillCorrectionSettings

    chosen = StillCorrectionSettings(crop_size=crop_size, **settings)
    return CorrectionPart(open_stills(source.place, split), weight=source.weight, settings=chosen)


def _clicks(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.samples.click_samples import ClickPart, ClickSampleSettings

    chosen = ClickSampleSettings(crop_size=crop_size, **settings)
    return ClickPart(open_stills(source.place, split), weight=source.weight, settings=chosen)


def _foregrounds(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.samples.foregrounds import ForegroundPart, ForegroundSettings

    chosen = ForegroundSettings(crop_size=crop_size, **settings)
    return ForegroundPart(open_stills(source.place, split), weight=source.weight, settings=chosen)


def _tracklets(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.corpus.reader import Corpus
    from ..datagen.samples.tracklets import TrackletPart, TrackletSettings

    chosen = TrackletSettings(crop_size=crop_size, **settings)
    return TrackletPart(Corpus.open(source.place), weight=source.weight, split=split, settings=chosen)


def _fusion(source: Source, split: Split, crop_size: int, settings: Mapping[str, Any]) -> SamplePart:
    from ..datagen.corpus.reader import Corpus
    from ..datagen.samples.fusion import FusionPart, FusionSampleSettings

    chosen = FusionSampleSettings(crop_size=crop_size, **settings)
    return FusionPart(Corpus.open(source.place), weight=source.weight, split=split, settings=chosen)


PARTS: dict[str, Callable[[Source, Split, int, Mapping[str, Any]], SamplePart]] = {
    "clips": _clips,
    "tracklets": _tracklets,
    "stills": _stills,
    "corrections": _corrections,
    "clicks": _clicks,
    "foregrounds": _foregrounds,
    "fusion": _fusion,
}
"""Kind of data -> its maker."""
