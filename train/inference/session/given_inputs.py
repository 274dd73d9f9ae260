"""Inputs of a session as they come from files and from the command line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....datagen.simulation.robot.scribble_file import read_scribbles
from ...evaluation.layouts.files import read_ids
from ..propagation import ids_of
from .protocol import Clicks, Input, Scribbles

FrameInputs = tuple[int, dict[int, Input]]
"""A frame's number, and object id -> what is said of it."""


def collect_inputs(
    masks: Sequence[str],
    scribbles: Sequence[Path],
    clicks: Sequence[str],
    num_frames: int,
    size: tuple[int, int],
) -> list[FrameInputs]:
    """Return the inputs in the order masks, scribbles, clicks; all clicks of a frame are one input.

    masks: FRAME=PNG, the masks of all objects of a frame. scribbles: files of the DAVIS interactive benchmark. clicks:
    FRAME:OBJECT:+X,Y or FRAME:OBJECT:-X,Y, pixels. num_frames, size (H, W): of the video. ValueError names what cannot
    be read or does not fit the video.
    """
    found = [_read_mask(text, size) for text in masks]
    for path in scribbles:
        given = read_scribbles(_existing(path, "scribble file"))
        if len(given.frames) != num_frames:
            raise ValueError(f"the scribbles of {path} are on {len(given.frames)} frames, the video has {num_frames}")
        for t in given.annotated_frames:
            strokes = given.frames[t]
            ids = sorted({stroke.object_id for stroke in strokes})
            found.append((t, {i: Scribbles(strokes=tuple(s for s in strokes if s.object_id == i)) for i in ids}))
    found += _clicks_by_frame(clicks)
    for t, _ in found:
        if not 0 <= t < num_frames:
            raise ValueError(f"an input is on frame {t}; the video has frames 0 to {num_frames - 1}")
    return found


def ids_in(inputs: Sequence[FrameInputs]) -> tuple[int, ...]:
    """The ids of the objects that inputs speak of, ascending."""
    return tuple(sorted({object_id for _, given in inputs for object_id in given} - {0}))


def _read_mask(text: str, size: tuple[int, int]) -> FrameInputs:
    number, separator, name = text.partition("=")
    if not separator or not number.isdecimal():
        raise ValueError(f"{text!r} is no mask of a frame; write FRAME=PNG, such as 12=masks/00012.png")
    ids = read_ids(_existing(Path(name), "mask"))
    if ids.shape != tuple(size):
        (height, width), (own_height, own_width) = size, ids.shape
        raise ValueError(f"the mask {name} is {own_width}x{own_height}, the frames are {width}x{height}")
    shown = ids_of(ids)
    # With the background, so that an object that the picture does not show is not in the frame.
    return int(number), {0: ~np.isin(ids, shown), **{object_id: ids == object_id for object_id in shown}}


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no {what} at {path}; give the path of a file")
    return path


def _clicks_by_frame(clicks: Sequence[str]) -> list[FrameInputs]:
    points: dict[int, dict[int, tuple[list, list]]] = {}
    for text in clicks:
        try:
            frame, object_id, place = text.split(":")
            x, y = (float(value) for value in place[1:].split(","))
            signs = {"+": 0, "-": 1}
            points.setdefault(int(frame), {}).setdefault(int(object_id), ([], []))[signs[place[0]]].append((x, y))
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(
                f"{text!r} is no click; write FRAME:OBJECT:+X,Y on the object or FRAME:OBJECT:-X,Y beside it, such as "
                "12:1:+300,200"
            ) from error
    return [
        (t, {i: Clicks(positive=tuple(on), negative=tuple(beside)) for i, (on, beside) in by_object.items()})
        for t, by_object in points.items()
    ]
