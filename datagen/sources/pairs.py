"""Still images with one binary mask each: finding the pairs below a root, and reading one of them."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from .masks import read_mask
from .source import ClipContent, FrameContent, SourceClip, layout_error

_PICTURES = (".jpg", ".jpeg")
_MASKS = (".png", ".bmp")


@dataclass(frozen=True, kw_only=True)
class PairFolders:
    """Where pictures and masks lie below the root ("." is the root), and what ends their names before the suffix.

    With equal folders and endings they lie side by side, told apart by suffix: x.jpg and x.png.
    """

    pictures: str
    masks: str
    picture_ending: str = ""
    mask_ending: str = ""

    def told_by_suffix(self) -> bool:
        """Return whether the suffix alone tells a picture from a mask."""
        return (self.pictures, self.picture_ending) == (self.masks, self.mask_ending)

    def describe(self) -> str:
        """Return the layout as text, e.g. "images/*.jpg with ground_truth_mask/*.png"."""
        sides = ((self.pictures, self.picture_ending, "jpg"), (self.masks, self.mask_ending, "png"))
        return " with ".join(f"{'' if place == '.' else place + '/'}*{ending}.{kind}" for place, ending, kind in sides)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a data set: its split in the data set's own words and in the corpus, and the layouts it comes in.

    name: prefix of the names of its clips, so that parts may use the same names. The first of `layouts` whose folders
    are there counts.
    """

    name: str
    split: str | None
    corpus_split: Literal["train", "val"]
    layouts: tuple[PairFolders, ...]


@dataclass(frozen=True, kw_only=True)
class PairSource:
    """A data set of pairs; a subclass states its parts.

    A picture without its mask, or a mask without its picture, is listed, so that reading it names the missing file.
    """

    is_video: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[tuple[Part, ...]]

    root: Path
    split: str | None = None

    def list_clips(self) -> list[SourceClip]:
        """Return one clip for each pair of the parts that are there, or of the part `split`."""
        clips = self.find_clips()
        if not clips:
            better = [place for place in self._nearby_folders() if self._lies_at(place)]
            raise layout_error(self, self.expected(), hint=f"; give {better[0]}" if better else "")
        return sorted(clips, key=lambda clip: (clip.split != "train", clip.name))

    def find_clips(self) -> list[SourceClip]:
        """Return the clips below the root, none when it holds something else."""
        return [clip for part in self._wanted_parts() for clip in self._list_part(part)]

    def expected(self) -> str:
        """Return what must lie below the root, for messages."""
        return " or ".join(layout.describe() for part in self._wanted_parts() for layout in part.layouts)

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one picture with its mask."""
        return read_pair(self.root, clip)

    def _wanted_parts(self) -> list[Part]:
        return [part for part in self.parts if self.split in (None, part.split)]

    def _list_part(self, part: Part) -> list[SourceClip]:
        """List the first layout that has pairs; folders of the part without any pair are an error, not an absence."""
        begun = []
        for layout in part.layouts:
            pairs = list(find_pairs(self.root, layout))
            if pairs:
                prefix = f"{part.name}/" if part.name else ""
                return [
                    SourceClip(name=prefix + stem, split=part.corpus_split, details=_details(self.root, picture, mask))
                    for stem, picture, mask in pairs
                ]
            if layout.pictures != "." and (
                (self.root / layout.pictures).is_dir() or (self.root / layout.masks).is_dir()
            ):
                begun.append(layout)
        if begun:
            places = dict.fromkeys(place for layout in begun for place in (layout.pictures, layout.masks))
            contents = "; ".join(f"{place}: {_contents(self.root / place)}" for place in places)
            raise layout_error(self, begun[0].describe(), hint=f" ({contents})")
        return []

    def _nearby_folders(self) -> list[Path]:
        """The folders below the root and that above it: where a user may have meant to point."""
        return [*sorted(entry for entry in self.root.iterdir() if entry.is_dir()), self.root.parent]

    def _lies_at(self, place: Path) -> bool:
        try:
            return bool(dataclasses.replace(self, root=place).find_clips())
        except (OSError, ValueError):
            return False


def find_pairs(root: Path, layout: PairFolders, with_lone: bool = False) -> Iterator[tuple[str, Path, Path]]:
    """Yield (stem, picture, mask) sorted by stem; nothing unless at least one picture has its mask, or `with_lone`.

    One of the two paths may not exist. Raises ValueError when a name has two pictures or two masks.
    """
    endings = (_PICTURES, _MASKS) if layout.told_by_suffix() else (_PICTURES + _MASKS, _MASKS + _PICTURES)
    pictures = _by_stem(root / layout.pictures, layout.picture_ending, endings[0])
    masks = _by_stem(root / layout.masks, layout.mask_ending, endings[1])
    if pictures.keys().isdisjoint(masks) and not with_lone:
        return
    for stem in sorted(pictures.keys() | masks.keys()):
        picture = pictures.get(stem, root / layout.pictures / f"{stem}{layout.picture_ending}.jpg")
        yield stem, picture, masks.get(stem, root / layout.masks / f"{stem}{layout.mask_ending}.png")


def read_pair(root: Path, clip: SourceClip, facts: dict[str, Any] | None = None) -> ClipContent:
    """Return the one frame of a pair; facts: what is known of its object."""
    picture, mask = root / clip.details["picture"], root / clip.details["mask"]
    frame = FrameContent(
        name=Path(clip.name).name, picture=picture.read_bytes(), ids=read_mask(mask, "binary"), file=str(picture)
    )
    return ClipContent(frames=[frame], objects={1: facts} if facts else {})


def _details(root: Path, picture: Path, mask: Path) -> dict[str, str]:
    return {"picture": picture.relative_to(root).as_posix(), "mask": mask.relative_to(root).as_posix()}


def _by_stem(folder: Path, ending: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Map what comes before the ending to its file; hidden files (the "._x.jpg" of some archives) are left out."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() not in suffixes or not path.stem.endswith(ending) or path.name.startswith("."):
            continue
        stem = path.stem.removesuffix(ending)
        if stem in found:
            raise ValueError(f"{folder} holds both {found[stem].name} and {path.name}; keep one of them")
        found[stem] = path
    return found


def _contents(folder: Path) -> str:
    if not folder.is_dir():
        return "no such folder"
    num_pictures, num_masks = (len(_by_stem(folder, "", suffixes)) for suffixes in (_PICTURES, _MASKS))
    return f"{num_pictures} jpg, {num_masks} png"
