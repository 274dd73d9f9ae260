"""DAVIS 2016 and 2017: every frame is annotated, lists of sequences by year."""

from __future__ import annotations

from pathlib import Path

from ..errors import EvaluationError
from ..sequences import AnnotatedSequence, SequenceSet, listed
from .files import FRAME_SUFFIXES, files_by_stem, read_ids, read_merged, video_of_files

YEARS = ("2017", "2016")


def is_tree(root: Path) -> bool:
    return (root / "JPEGImages").is_dir() and (root / "Annotations").is_dir()


def open_tree(root: Path, split: str, year: str | None, unscored: bool) -> SequenceSet:
    """The sequences of a list, each with a mask for every frame; EvaluationError names what is missing.

    unscored: a mask of the first frame is enough.
    """
    names, year = _sequence_names(root, split, year)
    # Workers may have another current directory.
    images, annotations = (_resolution(root.absolute() / name) for name in ("JPEGImages", "Annotations"))
    merge = year == "2016"
    return SequenceSet(
        root=root,
        kind=f"davis-{year}" if year else "davis",
        split=split,
        sequences=tuple(_sequence(name, images / name, annotations / name, merge, unscored) for name in names),
    )


def _resolution(folder: Path) -> Path:
    """The 480p level where there is one."""
    return folder / "480p" if (folder / "480p").is_dir() else folder


def _sequence_names(root: Path, split: str, year: str | None) -> tuple[list[str], str | None]:
    lists = root / "ImageSets"
    asked = year is not None
    if not asked:
        year = next((y for y in YEARS if (lists / y).is_dir()), None)
    folders = [lists / year] if year else []
    if year != "2017":
        # DAVIS 2016 has its lists of frame pairs by resolution, not by year.
        folders += [lists / "480p", lists]
    holding = [folder for folder in folders if any(folder.glob("*.txt"))]
    if asked and lists.is_dir() and not holding:
        raise EvaluationError(f"{lists} has no year {year}; it holds {listed(_names(lists))}")
    if not lists.is_dir():
        names = _names(_resolution(root / "Annotations"))
        if not names:
            raise EvaluationError(f"{_resolution(root / 'Annotations')} holds no folder of a sequence")
        return names, year
    for folder in folders:
        path = folder / f"{split}.txt"
        if path.is_file():
            names = _read_list(path)
            if not names:
                raise EvaluationError(f"{path} lists no sequence")
            return names, year
    place = holding[0] if holding else folders[0]
    splits = [path.stem for path in sorted(place.glob("*.txt"))]
    raise EvaluationError(f"{place} has no list {split}.txt; choose --split from: {listed(splits)}")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _read_list(path: Path) -> list[str]:
    """Sequence names, one a line, with spaces or not; the pairs of paths in DAVIS 2016's own lists give a folder."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not a list of sequences: it is no text") from error
    entries = [line.strip() for line in lines if line.strip()]
    # Of a pair, read as one path, the folder is that of the annotation, which has the same name.
    return list(dict.fromkeys(Path(entry).parent.name if "/" in entry else entry for entry in entries))


def _sequence(name: str, images: Path, annotations: Path, merge: bool, unscored: bool) -> AnnotatedSequence:
    try:
        frames, masks = files_by_stem(images, FRAME_SUFFIXES), files_by_stem(annotations, (".png",))
    except EvaluationError as error:
        raise EvaluationError(f"sequence {name}: {error}") from error
    if not frames:
        raise EvaluationError(f"sequence {name}: {images} holds no frame (*.jpg)")
    without_mask = [f"{stem}.png" for stem in frames if stem not in masks]
    without_frame = [f"{stem}.jpg" for stem in masks if stem not in frames]
    if without_mask and not (unscored and next(iter(frames)) in masks):
        hint = "" if next(iter(frames)) not in masks else "; davis --masks-only writes masks without scores"
        raise EvaluationError(
            f"sequence {name}: {annotations} lacks {listed(without_mask)}, so it cannot be scored{hint}"
        )
    if without_frame:
        raise EvaluationError(f"sequence {name}: {images} lacks {listed(without_frame)}, which are annotated")
    return video_of_files(name, frames, masks, read_merged if merge else read_ids)
