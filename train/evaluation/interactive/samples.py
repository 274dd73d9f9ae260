"""The sessions of the benchmark: a sequence, and first scribbles from its files or from the robot."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....datagen.simulation.robot.robot import robot_strokes
from ....datagen.simulation.robot.scribble_file import ScribbleFileError, read_scribbles
from ....datagen.simulation.robot.strokes import Stroke
from ..errors import EvaluationError
from ..finished import sequence_sha256
from ..sequences import AnnotatedSequence
from .protocol import ProtocolSettings

FROM_FILE, FROM_ROBOT = "file", "robot"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One session to play. scribble_set: counted from 1. frame, strokes: of the first interaction.

    object_ids: all ids that the sequence shows in any frame. source: where the strokes are from, "file" or "robot".
    data_sha256: of what the session sees and is scored against: names and luma of the frames, numbers and labels of
    the annotated ones; "" where nobody asked.
    """

    sequence: str
    scribble_set: int
    object_ids: tuple[int, ...]
    frame: int
    strokes: tuple[Stroke, ...]
    source: str
    data_sha256: str = ""


def samples_of(
    sequence: AnnotatedSequence,
    settings: ProtocolSettings,
    scribbles_root: Path | None = None,
    merge_objects: bool = False,
) -> Iterator[Sample]:
    """Yield the sessions of a sequence, one a scribble set.

    scribbles_root: holds <sequence>/001.json and so on, as a DAVIS tree's Scribbles; a set without a file there is
    drawn by the robot. merge_objects: strokes of all objects are of object 1, as in DAVIS 2016.
    Raises EvaluationError for a sequence without an object, and for a scribble file that does not fit it.
    """
    object_ids, areas = object_areas(sequence)
    if not object_ids:
        raise EvaluationError(f"sequence {sequence.name}: no frame shows an object, so there is nothing to scribble on")
    data_sha256 = sequence_sha256(sequence)
    drawn: set[int] = set()
    for number in range(1, settings.num_scribble_sets + 1):
        path = scribbles_root / sequence.name / f"{number:03d}.json" if scribbles_root else None
        if path is not None and path.is_file():
            frame, strokes = _from_file(path, sequence, object_ids, merge_objects)
            source = FROM_FILE
        else:
            frame, strokes = _from_robot(sequence, object_ids, areas, number, settings, drawn)
            source = FROM_ROBOT
        drawn.add(frame)
        yield Sample(
            sequence=sequence.name,
            scribble_set=number,
            object_ids=object_ids,
            frame=frame,
            strokes=strokes,
            source=source,
            data_sha256=data_sha256,
        )


def object_areas(sequence: AnnotatedSequence) -> tuple[tuple[int, ...], dict[int, np.ndarray]]:
    """The ids that appear in any annotated frame, and each such frame's areas in pixels, int (256,).

    EvaluationError for an annotation of another size than the first.
    """
    areas, size = {}, None
    for t in sequence.annotated_frames:
        ids = sequence.read_truth(t)
        size = size or ids.shape
        if ids.shape != size:
            raise EvaluationError(
                f"sequence {sequence.name}: the annotation of frame {sequence.frame_names[t]} is "
                f"{ids.shape[1]}x{ids.shape[0]}, the first {size[1]}x{size[0]}; they must all have one size"
            )
        areas[t] = np.bincount(ids.ravel(), minlength=256)
    total = np.sum(list(areas.values()), axis=0)
    return tuple(int(value) for value in np.flatnonzero(total) if value > 0), areas


def robot_rng(seed: int, sequence: str, scribble_set: int, interaction: int) -> np.random.Generator:
    """The robot's chance in one round of one session, whatever else is played."""
    key = (zlib.crc32(sequence.encode()), scribble_set, interaction)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _from_file(
    path: Path, sequence: AnnotatedSequence, object_ids: tuple[int, ...], merge_objects: bool
) -> tuple[int, tuple[Stroke, ...]]:
    try:
        scribbles = read_scribbles(path)
        frame = scribbles.annotated_frame
    except ScribbleFileError as error:
        raise EvaluationError(str(error)) from error
    except ValueError as error:
        raise EvaluationError(f"{path}: {error}") from error
    if len(scribbles.frames) != sequence.num_frames:
        raise EvaluationError(
            f"{path} has {len(scribbles.frames)} frames, the sequence {sequence.name} has {sequence.num_frames}; "
            "give the scribbles of this sequence"
        )
    strokes = scribbles.frames[frame]
    if merge_objects:
        strokes = tuple(Stroke(object_id=min(stroke.object_id, 1), path=stroke.path) for stroke in strokes)
    unknown = sorted({stroke.object_id for stroke in strokes} - {0, *object_ids})
    if unknown:
        raise EvaluationError(
            f"{path} has a stroke of object {unknown[0]}; {sequence.name} shows the objects "
            f"{', '.join(map(str, object_ids))}"
        )
    return frame, strokes


def _from_robot(
    sequence: AnnotatedSequence,
    object_ids: tuple[int, ...],
    areas: dict[int, np.ndarray],
    number: int,
    settings: ProtocolSettings,
    drawn: set[int],
) -> tuple[int, tuple[Stroke, ...]]:
    """Strokes on a frame of chance among those that show the most objects, as a person would choose."""
    rng = robot_rng(settings.seed, sequence.name, number, 0)
    # Another frame for each set where there is one; and one on which the robot finds something to draw.
    order = rng.permutation(list(areas)).tolist()
    order.sort(key=lambda t: (-np.count_nonzero(areas[t][list(object_ids)]), t in drawn))
    for frame in order:
        truth = sequence.read_truth(frame)
        strokes = robot_strokes(rng, truth, np.zeros_like(truth), object_ids, settings.robot)
        if strokes:
            return frame, tuple(strokes)
    raise EvaluationError(
        f"sequence {sequence.name}: its objects are too small for the robot to draw a stroke on any frame; "
        "give scribble files, or leave it out"
    )
