"""Videos as folders: one of pictures, one of masks with the same stems; the masks may be fewer."""

import sys
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
    """Return stem -> file of the files in a folder with one of these endings, in the order of their numbers or names.

    Hidden files (such as the ._00000.jpg that some archives carry) are left out. Raises ValueError for two files of the
    same stem and FileNotFoundError for a folder that is not there.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=_in_order):
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(f"{folder} holds both {found[path.stem].name} and {path.name}; keep one of them")
        found[path.stem] = path
    return found


def _in_order(path: Path) -> tuple[int, str]:
    """By number where the name is one, whatever its digits; all other names behind, by name."""
    return (int(path.stem), path.name) if path.stem.isdecimal() else (sys.maxsize, path.name)


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


def with_masks(frames: Iterator[FrameContent], masks: Path) -> Iterator[FrameContent]:
    """Yield the frames of a set in which every frame has a mask; ValueError names the mask that is not there."""
    for frame in frames:
        if frame.ids is None:
            raise ValueError(f"{masks / frame.name}.png is missing; every frame of this data set has a mask")
        yield frame


def _frames(frames: Mapping[str, Path], masks: Mapping[str, Path], coding: Literal["ids", "binary"]) -> Iterator:
    for name, path in frames.items():
        ids = read_mask(masks[name], coding) if name in masks else None
        yield FrameContent(name=name, picture=path.read_bytes(), ids=ids, file=str(path))
