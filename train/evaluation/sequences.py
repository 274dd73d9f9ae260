"""The annotated sequences a method is scored on: a DAVIS tree (2016 or 2017) or a corpus of ours.

T frames, H W pixels. Frames are uint8 RGB (H, W, 3); truth is uint8 object ids (H, W), 0 background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...datagen.corpus.records import IGNORE_ID
from ...datagen.imaging.images import decode_ids, decode_jpeg
from .errors import EvaluationError

FRAME_SUFFIXES = (".jpg", ".jpeg")
YEARS = ("2017", "2016")
NUM_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class AnnotatedSequence:
    """One video with the true ids of every frame; reading is lazy, nothing is kept.

    frame_names: file stems, e.g. "00000". read_frame(t): uint8 (H, W, 3), RGB. read_luma(t): uint8 (H, W), grey.
    read_truth(t): uint8 (H, W), ids with void as background.
    """

    name: str
    frame_names: tuple[str, ...]
    read_frame: Callable[[int], np.ndarray]
    read_luma: Callable[[int], np.ndarray]
    read_truth: Callable[[int], np.ndarray]

    @property
    def num_frames(self) -> int:
        return len(self.frame_names)


@dataclass(frozen=True, kw_only=True)
class SequenceSet:
    """The sequences of one split, in the order of its list.

    kind: "davis-2016", "davis-2017", "davis" or "corpus". left_out: clips of a corpus that show no object in their
    first frame, so that nothing can be followed (in a DAVIS tree that is an error).
    """

    root: Path | str
    kind: str
    split: str
    sequences: tuple[AnnotatedSequence, ...]
    left_out: tuple[str, ...] = ()


def open_sequences(
    root: Path | str, split: str = "val", year: str | None = None, *, from_first: bool = True
) -> SequenceSet:
    """Open a DAVIS tree or a corpus (folder or URL) and check that every frame of the split has its annotation.

    A grey 0/255 annotation is one object (id 1), as in DAVIS 2016; a palette annotation holds ids and 255 is void.
    `year` chooses between two lists in one tree ("2016" merges palette ids into one object); without it, the newer.
    A DAVIS tree without ImageSets has one split, all its folders. from_first: a clip of a corpus is followed from its
    first frame, so one that shows no object there is left out; False keeps it, for what starts in any frame.
    Raises EvaluationError that names what is missing.
    """
    if "://" in str(root):
        from .corpus_sequences import open_corpus

        return open_corpus(root, split, from_first=from_first)
    root = Path(root)
    if not root.is_dir():
        raise EvaluationError(f"{root} is {'not a folder' if root.exists() else 'missing'}; {_EXPECTED}")
    if (root / "index.json").is_file():
        from .corpus_sequences import open_corpus

        return open_corpus(root, split, from_first=from_first)
    if not (root / "JPEGImages").is_dir() or not (root / "Annotations").is_dir():
        raise EvaluationError(
            f"{root} holds {listed(sorted(p.name for p in root.iterdir()))}; {_EXPECTED}{_hint(root)}"
        )
    return _open_davis(root, split, year)


_EXPECTED = (
    "expected a DAVIS tree (JPEGImages/480p/<sequence>/00000.jpg, Annotations/480p/<sequence>/00000.png, "
    "ImageSets/<year>/<split>.txt) or a finished corpus (index.json)"
)


def _hint(root: Path) -> str:
    for other in [root.parent, root.parent.parent, *sorted(p for p in root.iterdir() if p.is_dir())]:
        if (other / "JPEGImages").is_dir() and (other / "Annotations").is_dir():
            return f"; did you mean {other}?"
    return ""


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:NUM_NAMED]) or "nothing"
    return shown if len(names) <= NUM_NAMED else f"{shown} and {len(names) - NUM_NAMED} more"


def _open_davis(root: Path, split: str, year: str | None) -> SequenceSet:
    names, year = _sequence_names(root, split, year)
    images, annotations = _resolution(root / "JPEGImages"), _resolution(root / "Annotations")
    merge = year == "2016"
    return SequenceSet(
        root=root,
        kind=f"davis-{year}" if year else "davis",
        split=split,
        sequences=tuple(_davis_sequence(name, images / name, annotations / name, merge) for name in names),
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
            raise EvaluationError(f"{_resolution(root / 'Annotations')} holds no sequence folder; {_EXPECTED}")
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
    """Sequence names, one a line; the pairs of paths a frame in DAVIS 2016's own lists give their folders."""
    entries = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    return list(dict.fromkeys(Path(entry).parent.name if "/" in entry else entry for entry in entries))


def _davis_sequence(name: str, images: Path, annotations: Path, merge: bool) -> AnnotatedSequence:
    for folder in (images, annotations):
        if not folder.is_dir():
            raise EvaluationError(f"sequence {name}: the folder {folder} is missing")
    frames = {path.stem: path for path in sorted(images.iterdir()) if path.suffix.lower() in FRAME_SUFFIXES}
    masks = {path.stem: path for path in sorted(annotations.iterdir()) if path.suffix.lower() == ".png"}
    if not frames:
        raise EvaluationError(f"sequence {name}: {images} holds no frame (*.jpg)")
    without_mask = [f"{stem}.png" for stem in frames if stem not in masks]
    without_frame = [f"{stem}.jpg" for stem in masks if stem not in frames]
    if without_mask:
        raise EvaluationError(f"sequence {name}: {annotations} lacks {listed(without_mask)}, so it cannot be scored")
    if without_frame:
        raise EvaluationError(f"sequence {name}: {images} lacks {listed(without_frame)}, which are annotated")
    stems = tuple(frames)
    return AnnotatedSequence(
        name=name,
        frame_names=stems,
        read_frame=lambda t: _read_jpeg(frames[stems[t]]),
        read_luma=lambda t: _read_jpeg_luma(frames[stems[t]]),
        read_truth=lambda t: read_annotation(masks[stems[t]], merge),
    )


def _read_jpeg(path: Path) -> np.ndarray:
    try:
        return decode_jpeg(path.read_bytes())
    except ValueError as error:
        raise EvaluationError(f"frame {path} cannot be read: {error}") from error


def _read_jpeg_luma(path: Path) -> np.ndarray:
    """The JPEG's own luma channel: no colour conversion, and half the time to decode."""
    luma = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if luma is None:
        raise EvaluationError(f"frame {path} cannot be read: it is not a whole JPEG")
    return luma


def read_annotation(path: Path, merge: bool = False) -> np.ndarray:
    """The true ids in a DAVIS annotation as uint8 (H, W), void as 0; `merge` makes all objects one.

    Raises EvaluationError for a file that is neither a palette picture nor grey with 0 and 255.
    """
    content = path.read_bytes()
    try:
        ids = decode_ids(content)
    except ValueError:
        try:
            # Only 0 and 255 (or 1) make a grey picture a DAVIS 2016 mask; other greys may be ids without their palette.
            grey = decode_ids(content, grey="ids")
        except ValueError as error:
            raise EvaluationError(f"annotation {path} cannot be read: {error}") from error
        values = np.unique(grey)
        if len(values) > 2 or not set(values.tolist()) <= {0, 1, IGNORE_ID}:
            raise EvaluationError(
                f"annotation {path} is grey with the values {listed([str(v) for v in values])}; "
                "grey annotations hold 0 and 255 only, ids need a palette picture"
            ) from None
        return (grey > 0).astype(np.uint8)
    ids[ids == IGNORE_ID] = 0
    return (ids > 0).astype(np.uint8) if merge else ids
