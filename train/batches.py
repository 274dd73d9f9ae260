"""What a stage is trained on: its `data` names how a corpus or a folder of stills becomes a part of its mixture."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..datagen.samples.parts import SamplePart
from .sample_settings import settings_class

Split = Literal["train", "val"]

_OF_CLIPS = {
    "clips": ("parts", "ClipPart"),
    "tracklets": ("tracklets", "TrackletPart"),
    "fusion": ("fusion", "FusionPart"),
}
_OF_STILLS = {
    "stills": ("stills", "StillPart"),
    "corrections": ("corrections", "CorrectionPart"),
    "clicks": ("click_samples", "ClickPart"),
    "foregrounds": ("foregrounds", "ForegroundPart"),
}
"""Kind of data -> module of datagen.samples and class of the part; their settings: `sample_settings.settings_class`."""


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
    kind, crop_name = settings_class(data)
    chosen = kind(**{crop_name: crop_size}, **settings)
    if data in _OF_STILLS:
        return _part(*_OF_STILLS[data])(open_stills(source.place, split), weight=source.weight, settings=chosen)
    from ..datagen.corpus.reader import Corpus

    part = _part(*_OF_CLIPS[data])
    return part(Corpus.open(source.place), weight=source.weight, split=split, settings=chosen)


def has_held_out(source: Source) -> bool:
    """Whether a place of data is a corpus with a val split."""
    from ..datagen.corpus.reader import Corpus

    return is_corpus(source.place) and bool(Corpus.open(source.place).split("val"))


def is_corpus(place: Path | str) -> bool:
    """Whether a place is a corpus, and no folder of stills; a place that is not there is taken for one."""
    from ..datagen.storage.store import open_store

    return open_store(place).size("index.json") is not None or not Path(place).is_dir()


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


def _part(module: str, name: str) -> Callable[..., SamplePart]:
    return getattr(import_module(f"..datagen.samples.{module}", __package__), name)
