"""Videos as folders: one of pictures, one of masks with the same stems; the masks may be fewer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from ..masks import read_mask
from ..source import FrameContent

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png")


def read_names(path: Path) -> list[str]:
    """Return the names in a list of a data set, one a line, without blank lines."""
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def files_by_stem(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Return stem -> file of the files in a folder with one of these endings, sorted by stem.

    Hidden files (such as the ._00000.jpg that some archives carry) are left out. Raises ValueError for two files of the
    same stem and FileNotFoundError for a folder that is not there.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(f"{folder} holds both {found[path.stem].name} and {path.name}; keep one of them")
        found[path.stem] = path
    return found


def read_frame_folders(pictures: Path, masks: Path, coding: Literal["ids", "binary"]) -> Iterator[FrameContent]:
    """Yield the frames of a video in the order of their names; those without a mask are not annotated.

    Raises ValueError for a video without pictures or with a mask that has no picture, and ValueError or OSError that
    names a broken or missing file.
    """
    frames = files_by_stem(pictures, PICTURE_ENDINGS)
    annotated: Mapping[str, Path] = files_by_stem(masks, (".png",)) if masks.is_dir() else {}
    if not frames:
        raise ValueError(f"{pictures} holds no pictures ({', '.join(PICTURE_ENDINGS)})")
    if not annotated:
        raise ValueError(f"{masks} holds no masks (.png)")
    orphans = sorted(set(annotated) - set(frames))
    if orphans:
        raise ValueError(f"{annotated[orphans[0]]} has no picture in {pictures} ({len(orphans)} masks have none)")
    return _frames(frames, annotated, coding)


def _frames(frames: Mapping[str, Path], masks: Mapping[str, Path], coding: Literal["ids", "binary"]) -> Iterator:
    for name, path in frames.items():
        ids = read_mask(masks[name], coding) if name in masks else None
        yield FrameContent(name=name, picture=path.read_bytes(), ids=ids, file=str(path))
