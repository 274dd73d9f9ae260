"""YouTube-VOS 2018 and 2019, and corpora exported as such: few frames are annotated, objects come into view later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....datagen.sources.videos.frame_folders import in_frame_order
from ..errors import EvaluationError, as_evaluation_errors
from ..sequences import AnnotatedSequence, Protocol, SequenceSet, listed, values_in
from .files import FRAME_SUFFIXES, files_by_stem, read_palette, video_of_files

SPLIT_FOLDERS = {"val": "valid"}
"""The published name of the validation split's folder."""
TRUTH_FOLDERS = ("GroundTruth", "Annotations")


def is_tree(root: Path) -> bool:
    """Whether a folder holds splits with meta.json, or is such a split itself."""
    return _is_split(root) or any(_is_split(path) for path in root.iterdir() if path.is_dir())


def open_tree(root: Path, split: str, *, sparse: bool, unscored: bool, protocol: Protocol) -> SequenceSet:
    """The videos of meta.json with the objects it lists, those of the training split's classes being "seen".

    The labels are in GroundTruth, as our export writes them, or in Annotations; the published valid split has the first
    mask of each object alone, and nothing can be scored there: that is refused unless `unscored`. EvaluationError names
    what is missing.
    """
    # Absolute, as workers may have another current directory.
    folder = (root if _is_split(root) else root / SPLIT_FOLDERS.get(split, split)).absolute()
    if not _is_split(folder):
        splits = [path.name for path in sorted(root.iterdir()) if path.is_dir() and _is_split(path)]
        raise EvaluationError(f"{root} has no split {split}; choose --split from: {listed(splits)}")
    videos = _videos(folder / "meta.json")
    truth = next(folder / name for name in TRUTH_FOLDERS if (folder / name).is_dir())
    sequences = [
        _sequence(name, objects, folder, truth, protocol, unscored) for name, objects in sorted(videos.items())
    ]
    if not unscored:
        _check_annotated(sequences, folder, sparse)
    return SequenceSet(
        root=root,
        kind="youtube-vos",
        split=folder.name,
        sequences=tuple(sequences),
        seen=_seen_classes(folder),
    )


def with_seen_classes(found: SequenceSet, train_meta: Path | None) -> SequenceSet:
    """The set with the classes of a training split's meta.json as those seen; as it is without one.

    EvaluationError when the file is none, or the sequences have no classes.
    """
    if train_meta is None:
        return found
    if not train_meta.is_file():
        raise EvaluationError(f"--train-meta {train_meta} is {'not a file' if train_meta.exists() else 'missing'}")
    if not any(sequence.categories for sequence in found.sequences):
        raise EvaluationError(f"{found.root} tells no classes of its objects; leave --train-meta out")
    return replace(found, seen=_classes(train_meta))


def _is_split(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in ("JPEGImages", "Annotations")) and (folder / "meta.json").is_file()


def _seen_classes(folder: Path) -> frozenset[str] | None:
    """The classes of the training split beside this one; None when there is none, or no class is told."""
    path = folder.parent / "train" / "meta.json"
    return _classes(path) or None if path.is_file() else None


def _classes(path: Path) -> frozenset[str]:
    objects = [facts for video in _videos(path).values() for facts in video.values()]
    return frozenset(facts["category"] for facts in objects if "category" in facts)


def _videos(path: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Video -> object id -> facts ("category", "frames") of a meta.json."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["videos"]
        videos = {name: {int(i): _facts(facts) for i, facts in one["objects"].items()} for name, one in content.items()}
        if not videos:
            raise ValueError("it lists no video")
        return videos
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = 'expected {"videos": {<video>: {"objects": {<id>: {"category", "frames"}}}}}'
        raise EvaluationError(f"{path} is not the meta.json of YouTube-VOS: {what} ({error!r})") from error


def _facts(given: Any) -> dict[str, Any]:
    """The facts of an object; TypeError where "category" is no text, or "frames" is no list of names."""
    facts = dict(given)
    frames = facts.get("frames") or []
    if not isinstance(facts.get("category", ""), str):
        raise TypeError(f"category {facts['category']!r} is no text")
    if not isinstance(frames, list) or not all(isinstance(name, str) for name in frames):
        raise TypeError(f"frames {frames!r} are no list of names")
    return facts


def _sequence(
    name: str, objects: dict[int, dict[str, Any]], folder: Path, truth: Path, protocol: Protocol, unscored: bool
) -> AnnotatedSequence:
    try:
        frames = files_by_stem(folder / "JPEGImages" / name, FRAME_SUFFIXES)
        masks = files_by_stem(truth / name, (".png",))
    except EvaluationError as error:
        raise EvaluationError(f"video {name}: {error}") from error
    if not frames or not masks:
        lacking = folder / "JPEGImages" / name if not frames else truth / name
        raise EvaluationError(f"video {name}: {lacking} holds no {'frame (*.jpg)' if not frames else 'mask (*.png)'}")
    without_frame = [f"{stem}.jpg" for stem in masks if stem not in frames]
    if without_frame:
        raise EvaluationError(f"video {name}: {folder / 'JPEGImages' / name} lacks {listed(without_frame)}")
    sequence = video_of_files(name, frames, masks, read_palette)
    first_frames = None
    if protocol == "youtube-vos":
        # Where nothing is scored the annotations are the given masks, whatever meta.json says of later frames.
        listed_frames = {i: None if unscored else facts.get("frames") for i, facts in objects.items()}
        first_frames = {i: _first_frame(sequence, i, listed_frames[i]) for i in objects}
    categories = {i: facts["category"] for i, facts in objects.items() if "category" in facts}
    return replace(sequence, first_frames=first_frames, categories=categories)


def _first_frame(sequence: AnnotatedSequence, i: int, listed_frames: list[str] | None) -> int:
    """The frame whose mask of an object is given: the first one that meta.json lists, or that shows it."""
    annotated = {sequence.frame_names[t]: t for t in sequence.annotated_frames}
    if listed_frames:
        with as_evaluation_errors():
            stem = in_frame_order(set(listed_frames), f"video {sequence.name}, meta.json")[0]
        if stem not in annotated:
            raise EvaluationError(
                f"video {sequence.name}: meta.json has object {i} in frame {stem}, which has no annotation"
            )
        return annotated[stem]
    for t in annotated.values():
        if i in values_in(sequence.read_labels(t)):
            return t
    raise EvaluationError(f"video {sequence.name}: no annotation shows object {i} of meta.json")


def _check_annotated(sequences: list[AnnotatedSequence], folder: Path, sparse: bool) -> None:
    for sequence in sequences:
        if sparse or sequence.annotated is None:
            continue
        raise EvaluationError(
            f"video {sequence.name} has masks for {len(sequence.annotated)} of {sequence.num_frames} frames; "
            "this command needs a mask for each"
        )
    if all(not _frames_behind_the_given(sequence) for sequence in sequences):
        raise EvaluationError(
            f"{folder / 'Annotations'} holds the given masks alone, so nothing can be scored here: the "
            "benchmark's server has the others (davis --masks-only writes what it takes), --split train has its own"
        )


def _frames_behind_the_given(sequence: AnnotatedSequence) -> bool:
    """Whether some frame has labels beyond those that are given."""
    given = {0} if sequence.first_frames is None else set(sequence.first_frames.values())
    return bool(set(sequence.annotated_frames) - given)
