"""The protocol of a source: a published data set in its own layout, listed and read clip by clip for packing.

A still image is a clip of one frame. Listing is done once and is cheap; reading is done in any worker, in any order,
from the listed clip alone.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from ..corpus.instances import Instance
from .table import SOURCES


class SourceLayoutError(ValueError):
    """The root does not hold the data set in its published layout; the message says what was expected and found."""


@dataclass(frozen=True, kw_only=True)
class SourceClip:
    """One clip of a source, as the listing knows it: plain data that travels to the worker that reads it.

    name: the name in the source, unique in one listing; any text, e.g. "bear" or "n02/17". split: where it goes in the
    corpus. details: whatever `Source.read` needs (paths relative to the root, polygons), only JSON-like values.
    """

    name: str
    split: Literal["train", "val"] = "train"
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FrameContent:
    """One frame as it was read: its picture, and its ids or its instances or neither (not annotated).

    name: the frame's name in the source, e.g. "00035". picture: the bytes of the file (stored byte for byte when they
    are an 8-bit RGB or grey JPEG and nothing is resized, else decoded and encoded), or uint8 (H, W, 3), RGB.
    ids: uint8 (H, W), 0 background, 1..254 objects, 255 ignore. instances: in place of ids, where objects overlap or
    are more than 254. file: path for messages, e.g. of a picture that cannot be decoded.
    """

    name: str
    picture: bytes | np.ndarray
    ids: np.ndarray | None = None
    instances: Sequence[Instance] | None = None
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class ClipContent:
    """What `Source.read` returns: the frames in order (an iterable that is read once), and what the source knows.

    objects: id -> facts such as {"category": "ape"}, for ids that appear in the frames (or may: others are left out).
    metadata: facts of the clip, JSON-like, e.g. {"image_id": 9}; they become fields of "source" in the metadata of the
    corpus, where the packing job puts the names of the source ("name"), of the clip ("clip"), of its frames ("frames")
    and the size before resizing ("width", "height").
    """

    frames: Iterable[FrameContent]
    objects: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """A data set in its published layout. Implementations are frozen dataclasses: root first, then options.

    The first paragraph of the class's docstring is the layout below the root, for messages. Class facts: `name` (as
    given to --source), `is_video` (False for stills), `splits` (names that the option `split` takes, in the data set's
    own words; empty when it has none), `summary` (half a line for --help), `licence` (its terms in a few words, or
    where they are stated). A source is pickled to the workers, so it keeps nothing but its fields. Options are bool,
    int, float or str with a default; the command line takes them as --option NAME=VALUE.
    """

    name: ClassVar[str]
    is_video: ClassVar[bool]
    splits: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    licence: ClassVar[str]
    root: Path

    def list_clips(self) -> list[SourceClip]:
        """Return the clips, train before val, each sorted by name: the same list on every machine.

        Looks at folders and lists, not at pictures. Raises SourceLayoutError when the root holds another layout.
        """
        ...

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options that decide the bytes, without the root, e.g. {"split": "train"}; JSON-like."""
        ...

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one listed clip. Raises ValueError or OSError that names the file that is missing or broken."""
        ...


def source_class(name: str) -> type[Source]:
    """Return the class of a source; ValueError lists the names when there is none of this name."""
    if name not in SOURCES:
        raise ValueError(f"there is no source {name!r}; the sources are {', '.join(SOURCES)}")
    module, _, class_name = SOURCES[name].rpartition(".")
    return getattr(importlib.import_module(f"{__package__}.{module}"), class_name)


def open_source(name: str, root: Path | str, **options: Any) -> Source:
    """Return the source of this name at `root`; options that are None are left out.

    Raises ValueError for an unknown name, an option that this source does not take or a split that it does not have;
    SourceLayoutError for a root that is no folder. The layout below it is looked at by `list_clips`.
    """
    chosen = source_class(name)
    options = {option: value for option, value in options.items() if value is not None}
    taken = [field.name for field in dataclasses.fields(chosen) if field.name != "root"]
    if options.get("split") is not None and not chosen.splits:
        raise ValueError(f"the source {name} has no splits; leave the split out")
    for option in options:
        if option not in taken:
            has = f"its options are {', '.join(taken)}" if taken else "it has no options"
            raise ValueError(f"the source {name} has no option {option!r}; {has}")
    split = options.get("split")
    if split is not None and split not in chosen.splits:
        raise ValueError(f"the source {name} has no split {split!r}; its splits are {', '.join(chosen.splits)}")
    root = Path(root)
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise SourceLayoutError(f"{root} {what}; give the folder that holds the data set {name}: {layout_of(chosen)}")
    return chosen(root=root.resolve(), **options)


def layout_of(chosen: type[Source]) -> str:
    """Return the layout that a source expects, on one line: the first paragraph of its class's docstring."""
    return " ".join(inspect.getdoc(chosen).split("\n\n")[0].split())


def require(source: Source, *names: str, root: Path | None = None) -> None:
    """Raise SourceLayoutError unless these files or folders lie below the root (or `root`, a folder below it).

    The message lists what lies there instead, and names the folder above or below that has them all.
    """
    root = source.root if root is None else root
    absent = [name for name in names if not (root / name).exists()]
    if absent:
        nearby = [root.parent, *(sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else ())]
        better = [place for place in nearby if all((place / name).exists() for name in names)]
        place = root / absent[0]
        while not place.exists() and place != root:
            place = place.parent
        below = "" if place == root else f"{place.relative_to(root)}/"
        short = [name.removeprefix(below) for name in absent if name.startswith(below)]
        raise layout_error(source, " and ".join(short), place, hint=f"; give {better[0]}" if better else "")


def layout_error(source: Source, expected: str, root: Path | None = None, hint: str = "") -> SourceLayoutError:
    """Return the error that says what was expected in the root (or in `root`, a folder below it), and what lies there.

    expected: names or patterns relative to that folder. hint: a clause that begins with "; ".
    """
    root = source.root if root is None else root
    entries = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in root.iterdir()) if root.is_dir() else []
    shown = ", ".join(entries[:8]) + (f" and {len(entries) - 8} more" if len(entries) > 8 else "")
    found = shown or ("nothing" if root.is_dir() else "no such folder")
    what = f"expected {expected} in {root}, found {found}{hint}"
    return SourceLayoutError(f"this is not {source.name} as published: {what}. The layout: {layout_of(type(source))}")
