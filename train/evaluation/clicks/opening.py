"""Finds what lies at a root, a set of single pictures, videos or a corpus, and lists its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from ..errors import EvaluationError
from ..layouts import davis, youtube_vos
from ..sequences import choose_sequences, listed, open_sequences
from .objects import Picture, PictureSet, Which
from .stills import STILL_LAYOUTS, pair_pictures, still_layout_at, still_pictures
from .video_frames import corpus_frames, sequence_frames

Layout = Literal["auto", "grabcut", "berkeley", "davis-345", "pairs", "videos", "corpus"]
MIN_AREA_OF_VIDEOS = 100
_EXPECTED = (
    "GrabCut (data_GT, boundary_GT), Berkeley (images, masks), DAVIS-345 (img, gt), a DAVIS or YouTube-VOS tree, "
    "pictures with masks of the same stem, or a finished corpus (index.json)"
)


def open_pictures(
    root: Path | str,
    layout: Layout = "auto",
    *,
    split: str = "val",
    year: str | None = None,
    per_sequence: int = 4,
    which: Which = "each",
    min_area: int | None = None,
    only: tuple[str, ...] = (),
) -> PictureSet:
    """Return the pictures at a root; "auto" takes the layout that is there.

    split, year, per_sequence (evenly spaced frames), only (names of sequences or clips) are for videos and corpora.
    min_area: pixels that an object must show; None: 100 in videos and corpora, where objects come into view and leave
    it, 1 in sets of single pictures. Raises EvaluationError that says what was found and what is expected.
    """
    if layout not in get_args(Layout):
        raise EvaluationError(f"no layout {layout!r}; choose one of {', '.join(get_args(Layout))}")
    is_url = "://" in str(root)
    if not is_url and not Path(root).is_dir():
        raise EvaluationError(f"{root} is {'not a folder' if Path(root).exists() else 'missing'}; expected {_EXPECTED}")
    # Processes elsewhere read the pictures, from other working directories.
    place = root if is_url else Path(root).resolve()
    found = _layout_at(place) if layout == "auto" else layout
    if min_area is None:
        min_area = MIN_AREA_OF_VIDEOS if found in ("corpus", "videos") else 1
    pictures: list[Picture]
    if found == "corpus":
        pictures = list(corpus_frames(str(place), split, per_sequence, which, min_area, only))
    elif found == "videos":
        chosen = choose_sequences(open_sequences(place, split, year, from_first=False, sparse=True), only)
        pictures = list(sequence_frames(chosen, per_sequence, which, min_area))
    elif is_url:
        raise EvaluationError(f"layout {found} is of folders; {root} is a URL, where a corpus may lie")
    else:
        if only:
            raise EvaluationError(f"--sequence is for videos and corpora; {root} holds single pictures ({found})")
        split = ""
        if found == "pairs":
            pictures = list(pair_pictures(place, which, min_area))
        else:
            pictures = list(still_pictures(place, STILL_LAYOUTS[found], which, min_area))
    if not pictures:
        raise EvaluationError(f"{root} holds no annotated picture; expected {_EXPECTED}")
    return PictureSet(
        root=str(root), layout=found, split=split, which=which, min_area=min_area, pictures=tuple(pictures)
    )


def _layout_at(root: Path | str) -> str:
    """The layout at a root; a folder of none is taken for pairs, unless it shows another one below."""
    if "://" in str(root) or (Path(root) / "index.json").is_file():
        return "corpus"
    root = Path(root)
    if davis.is_tree(root) or youtube_vos.is_tree(root):
        return "videos"
    still = still_layout_at(root)
    if still is not None:
        return still.name
    try:
        pair_pictures(root, "each", 1)
    except EvaluationError as error:
        raise EvaluationError(
            f"{root} holds {listed(sorted(path.name for path in root.iterdir()))}; expected {_EXPECTED}; {error}"
        ) from error
    return "pairs"
