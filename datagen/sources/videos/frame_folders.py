"""Videos as folders: one of pictures, one of masks with the same stems; the masks may be fewer."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from ..masks import read_mask
from ..source import FrameContent

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png")


def read_names(path: Path) -> list[str]:
    """Return the names in a list of a data set, one a line, without blank lines."""
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def files_by_stem(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Return stem -> file of the files in a folder with one of these endings, in the order of `in_frame_order`.

    Hidden files (such as the ._00000.jpg that some archives carry) are left out. Raises ValueError for two files of the
    same stem or of unclear order, and FileNotFoundError for a folder that is not there.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(f"{folder} holds both {found[path.stem].name} and {path.name}; keep one of them")
        found[path.stem] = path
    return {stem: found[stem] for stem in in_frame_order(found, folder)}


def in_frame_order(stems: Iterable[str], place: Path | str) -> list[str]:
    """Return the names of a video's frames in their order: by name, and where numbers differ in length by number.

    So f2 comes before f10. Raises ValueError that names two whose order is not clear: f1 and f01, or 1.5 and 1.25,
    which may be decimals; place: where they are, for the message.
    """
    names = sorted(stems)
    parts = {name: re.split(r"(\d+)", name) for name in names}  # text, digits, text, ...
    lengths: dict[tuple[str, ...], set[int]] = {}
    for found in parts.values():
        for k in range(1, len(found), 2):
            lengths.setdefault(tuple(found[:k:2]), set()).add(len(found[k]))
    if all(len(some) == 1 for some in lengths.values()):
        return names
    numbers = {name: _numbered(found, ()) for name, found in parts.items()}
    decimals = {name: _numbered(found, (".", ",")) for name, found in parts.items()}
    ordered = sorted(names, key=numbers.__getitem__)
    unclear = [(a, b) for a, b in itertools.pairwise(ordered) if numbers[a] == numbers[b]]
    unclear += [(a, b) for a, b in zip(ordered, sorted(names, key=decimals.__getitem__), strict=True) if a != b]
    if unclear:
        raise ValueError(
            f"{place}: the order of the frames {' and '.join(unclear[0])} is not clear; write all numbers "
            "with the same number of digits"
        )
    return ordered


def _numbered(parts: list[str], points: tuple[str, ...]) -> list[str | int]:
    """Text and digits by turns, the digits as numbers unless one of the points stands between them and others."""
    return [int(part) if k % 2 and (k == 1 or parts[k - 1] not in points) else part for k, part in enumerate(parts)]


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
