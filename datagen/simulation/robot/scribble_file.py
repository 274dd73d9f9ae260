"""The scribble file of the DAVIS interactive benchmark: strokes of one user on the frames of one sequence, as JSON.

{"scribbles": one list of strokes a frame, "sequence": name, "annotated_frame": optional}; a stroke is {"path":
[[x, y], ...] in [0, 1], "object_id": int, "start_time": ms, "end_time": ms}. The benchmark's own files hold strokes on
one frame and no "annotated_frame".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .strokes import Stroke


class ScribbleFileError(ValueError):
    """A scribble file is not what the format says; the message names the file, the place in it and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Scribbles:
    """What a user drew on a sequence.

    sequence: its name. frames: the strokes of each frame, empty where nothing was drawn.
    """

    sequence: str
    frames: tuple[tuple[Stroke, ...], ...]

    @property
    def annotated_frames(self) -> tuple[int, ...]:
        """The frames that hold strokes."""
        return tuple(number for number, strokes in enumerate(self.frames) if strokes)

    @property
    def annotated_frame(self) -> int:
        """The only frame that holds strokes; ValueError where there is none or more than one."""
        if len(self.annotated_frames) != 1:
            raise ValueError(
                f"the scribbles of {self.sequence} lie on the frames {list(self.annotated_frames)}; one frame is asked "
                "for: take annotated_frames and choose"
            )
        return self.annotated_frames[0]


def frame_scribbles(sequence: str, num_frames: int, frame: int, strokes: Sequence[Stroke]) -> Scribbles:
    """Return the scribbles of a sequence that has strokes on one frame."""
    if not 0 <= frame < num_frames:
        raise ValueError(f"frame is {frame}; {sequence} has the frames 0 to {num_frames - 1}")
    frames = [()] * num_frames
    frames[frame] = tuple(strokes)
    return Scribbles(sequence=sequence, frames=tuple(frames))


def read_scribbles(path: Path | str) -> Scribbles:
    """Read a scribble file; times are dropped. Raises ScribbleFileError, or OSError where it cannot be read."""
    path = Path(path)
    try:
        return scribbles_from_dict(json.loads(path.read_bytes()))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ScribbleFileError(f"{path} is not JSON: {error}") from error
    except ScribbleFileError as error:
        raise ScribbleFileError(f"{path}: {error}") from error


def write_scribbles(path: Path | str, scribbles: Scribbles) -> None:
    """Write a scribble file, whole or not at all."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(scribbles_to_dict(scribbles)))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def scribbles_to_dict(scribbles: Scribbles) -> dict:
    """Return the format's dictionary; simulated strokes take no time: start and end are 0."""
    frames = [
        [
            {"path": stroke.path.tolist(), "object_id": int(stroke.object_id), "start_time": 0, "end_time": 0}
            for stroke in strokes
        ]
        for strokes in scribbles.frames
    ]
    content = {"scribbles": frames, "sequence": scribbles.sequence}
    if len(scribbles.annotated_frames) == 1:
        content["annotated_frame"] = scribbles.annotated_frame
    return content


def scribbles_from_dict(content: object) -> Scribbles:
    """Check the format's dictionary and return what it holds; raises ScribbleFileError.

    Strokes without points are left out: they are drawn nowhere.
    """
    if not isinstance(content, dict):
        raise ScribbleFileError(f"found {_kind(content)}; expected an object with 'scribbles' and 'sequence'")
    sequence, frames = content.get("sequence"), content.get("scribbles")
    if not isinstance(sequence, str):
        raise ScribbleFileError(f"'sequence' is {_kind(sequence)}; expected the name of the sequence")
    if not isinstance(frames, list) or not all(isinstance(strokes, list) for strokes in frames):
        raise ScribbleFileError(f"'scribbles' is {_kind(frames)}; expected one list of strokes for each frame")
    read = tuple(
        tuple(
            _read_stroke(stroke, f"scribbles[{frame}][{number}]")
            for number, stroke in enumerate(strokes)
            if not (isinstance(stroke, dict) and stroke.get("path") == [])
        )
        for frame, strokes in enumerate(frames)
    )
    result = Scribbles(sequence=sequence, frames=read)
    named = content.get("annotated_frame")
    if named is not None and result.annotated_frames and named not in result.annotated_frames:
        raise ScribbleFileError(
            f"'annotated_frame' is {named!r}, but the strokes lie on {list(result.annotated_frames)}; correct one"
        )
    return result


def _read_stroke(stroke: object, place: str) -> Stroke:
    if not isinstance(stroke, dict):
        raise ScribbleFileError(f"{place} is {_kind(stroke)}; expected an object with 'path' and 'object_id'")
    object_id = stroke.get("object_id")
    if type(object_id) is not int or object_id < 0:
        raise ScribbleFileError(f"{place}.object_id is {object_id!r}; expected 0 for background or an object's id")
    try:
        return Stroke(object_id=object_id, path=stroke.get("path"))
    except (ValueError, TypeError) as error:
        raise ScribbleFileError(f"{place}.path: {error}") from error


def _kind(value: object) -> str:
    """What a JSON value is, for messages."""
    kinds = {dict: "an object", list: "a list", str: "a text", type(None): "missing", bool: "a truth value"}
    return kinds.get(type(value), "a number")
