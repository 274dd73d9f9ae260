"""The annotated sequences a method is scored on: a DAVIS tree (2016 or 2017), a YouTube-VOS tree, or a corpus of ours.

T frames, H W pixels. Frames are uint8 RGB (H, W, 3); truth is uint8 object ids (H, W), 0 background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ...datagen.corpus.records import IGNORE_ID
from .errors import EvaluationError

NUM_NAMED = 3
Protocol = Literal["davis", "youtube-vos"]


@dataclass(frozen=True, kw_only=True)
class AnnotatedSequence:
    """One video with the true ids of its annotated frames; reading is lazy, nothing is kept.

    frame_names: file stems, e.g. "00000". read_frame(t): uint8 (H, W, 3), RGB. read_luma(t): uint8 (H, W), grey.
    read_labels(t): uint8 (H, W), ids with void as 255. annotated: numbers of the frames that have labels, None for all.
    first_frames: object id -> the frame whose mask of it is given, by the YouTube-VOS protocol; None: what frame 0
    shows is given there, by the DAVIS protocol. categories: object id -> its class, as far as known.
    Sequences can be pickled where the three functions can.
    """

    name: str
    frame_names: tuple[str, ...]
    read_frame: Callable[[int], np.ndarray]
    read_luma: Callable[[int], np.ndarray]
    read_labels: Callable[[int], np.ndarray]
    annotated: tuple[int, ...] | None = None
    first_frames: Mapping[int, int] | None = None
    categories: Mapping[int, str] = field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        return len(self.frame_names)

    @property
    def annotated_frames(self) -> tuple[int, ...]:
        """Numbers of the frames that have labels."""
        if self.annotated is None:
            return tuple(range(self.num_frames))
        return tuple(t for t in self.annotated if t < self.num_frames)

    def read_truth(self, t: int) -> np.ndarray:
        """The true ids of frame t with void as background: uint8 (H, W)."""
        return without_void(self.read_labels(t))


@dataclass(frozen=True, kw_only=True)
class SequenceSet:
    """The sequences of one split, in the order of its list.

    kind: "davis-2016", "davis-2017", "davis", "youtube-vos" or "corpus". left_out: clips of a corpus that show no
    object in their first frame, so that nothing can be followed (in a DAVIS tree that is an error).
    seen: the classes of the training split, where the layout tells them (YouTube-VOS).
    """

    root: Path | str
    kind: str
    split: str
    sequences: tuple[AnnotatedSequence, ...]
    left_out: tuple[str, ...] = ()
    seen: frozenset[str] | None = None


def open_sequences(
    root: Path | str,
    split: str = "val",
    year: str | None = None,
    *,
    from_first: bool = True,
    sparse: bool = False,
    unscored: bool = False,
    protocol: Protocol | None = None,
) -> SequenceSet:
    """Open a DAVIS tree, a YouTube-VOS tree or a corpus (folder or URL) and check that its files are there.

    A grey 0/255 annotation is one object (id 1), as in DAVIS 2016; a palette annotation holds ids and 255 is void.
    `year` chooses between two lists in one tree ("2016" merges palette ids into one object); without it, the newer.
    A DAVIS tree without ImageSets has one split, all its folders. from_first: a clip of a corpus is followed from its
    first frame, so one that shows no object there is left out; False keeps it, for what starts in any frame.
    sparse: whether frames without labels are allowed. unscored: whether even the given masks alone are enough, as in
    DAVIS's test-dev and YouTube-VOS's valid, whose truth is on a server.
    protocol: "youtube-vos" also gives the masks of objects that appear later, "davis" only those of the first frame;
    None takes the one of the layout (a corpus': DAVIS).
    Raises EvaluationError that names what is missing.
    """
    from .layouts import corpus, davis, youtube_vos

    if "://" in str(root):
        return corpus.open_corpus(root, split, from_first=from_first, sparse=sparse, protocol=protocol or "davis")
    root = Path(root)
    if not root.is_dir():
        raise EvaluationError(f"{root} is {'not a folder' if root.exists() else 'missing'}; {_EXPECTED}")
    if (root / "index.json").is_file():
        return corpus.open_corpus(root, split, from_first=from_first, sparse=sparse, protocol=protocol or "davis")
    if youtube_vos.is_tree(root):
        return youtube_vos.open_tree(root, split, sparse=sparse, unscored=unscored, protocol=protocol or "youtube-vos")
    if not davis.is_tree(root):
        raise EvaluationError(
            f"{root} holds {listed(sorted(p.name for p in root.iterdir()))}; {_EXPECTED}{_hint(root)}"
        )
    if protocol == "youtube-vos":
        raise EvaluationError(
            f"{root} is a DAVIS tree; the YouTube-VOS protocol needs a tree with meta.json or a corpus"
        )
    return davis.open_tree(root, split, year, unscored)


def choose_sequences(found: SequenceSet, names: Sequence[str]) -> SequenceSet:
    """The sequences called so, in the order of the names, or all without names; EvaluationError for an unknown one."""
    by_name = {sequence.name: sequence for sequence in found.sequences}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise EvaluationError(f"no sequence {missing[0]!r} in {found.root}; there are {', '.join(list(by_name)[:12])}")
    if not names:
        return found
    return replace(found, sequences=tuple(by_name[name] for name in dict.fromkeys(names)), left_out=())


def read_frame_of_size(sequence: AnnotatedSequence, t: int, shape: tuple[int, int]) -> np.ndarray:
    """Frame t, uint8 (H, W, 3); EvaluationError when it has not the shape (H, W) of the sequence's masks."""
    frame = sequence.read_frame(t)
    if frame.shape[:2] != shape:
        raise EvaluationError(
            f"sequence {sequence.name}, frame {sequence.frame_names[t]} is {frame.shape[1]}x{frame.shape[0]}, "
            f"its annotation {shape[1]}x{shape[0]}; frames and annotations of a sequence must all have one size"
        )
    return frame


def given_masks(sequence: AnnotatedSequence) -> dict[int, np.ndarray]:
    """The masks that a method is given: frame number -> uint8 ids (H, W) of the objects that come in there.

    By the DAVIS protocol all that frame 0 shows, by that of YouTube-VOS each object in its own first frame. Raises
    EvaluationError when there is no object, or an object is not in its frame.
    """
    if sequence.first_frames is None:
        ids = sequence.read_truth(0)
        if not ids.any():
            raise EvaluationError(
                f"sequence {sequence.name}: its first annotation holds no object, so nothing can be followed"
            )
        return {0: ids}
    given = {}
    for t in sorted(set(sequence.first_frames.values())):
        truth = sequence.read_truth(t)
        expected = [i for i, first in sequence.first_frames.items() if first == t]
        lacking = [i for i in expected if not (truth == i).any()]
        if lacking:
            raise EvaluationError(
                f"sequence {sequence.name}: object {lacking[0]} is to come in at frame {sequence.frame_names[t]}, "
                "whose annotation does not show it"
            )
        given[t] = np.where(np.isin(truth, expected), truth, 0).astype(np.uint8)
    if not given:
        raise EvaluationError(f"sequence {sequence.name} has no object, so nothing can be followed")
    return given


def values_in(picture: np.ndarray) -> list[int]:
    """The values that a uint8 picture (H, W) holds, ascending; a tenth of the time of sorting them at 480p."""
    counts = cv2.calcHist([picture], [0], None, [256], [0, 256])
    return np.flatnonzero(counts).tolist()


def without_void(labels: np.ndarray) -> np.ndarray:
    """Labels with void as background: uint8 (H, W), ids below 255."""
    return np.where(labels == IGNORE_ID, 0, labels).astype(np.uint8)


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:NUM_NAMED]) or "nothing"
    return shown if len(names) <= NUM_NAMED else f"{shown} and {len(names) - NUM_NAMED} more"


_EXPECTED = (
    "expected a DAVIS tree (JPEGImages/480p/<sequence>/00000.jpg, Annotations/480p/<sequence>/00000.png, "
    "ImageSets/<year>/<split>.txt), a YouTube-VOS tree (valid/JPEGImages, valid/Annotations, valid/meta.json) "
    "or a finished corpus (index.json)"
)


def _hint(root: Path) -> str:
    from .layouts import davis, youtube_vos

    for other in [root.parent, root.parent.parent, *sorted(p for p in root.iterdir() if p.is_dir())]:
        if davis.is_tree(other) or youtube_vos.is_tree(other):
            return f"; did you mean {other}?"
    return ""
