"""The file that says where a session stands, so that it can be gone on with: session.json in its folder."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.storage.files import atomic_write_json, read_json
from .frames import FrameSource
from .state import SessionState, Waiting
from .store import View

NAME = "session.json"
SCHEMA = 3


def video_facts(frames: FrameSource) -> dict[str, Any]:
    """What tells a video from another: number and size of its frames, and a check sum of the pixels of three of them.

    The first, the middle and the last one, as many videos begin with the same black picture.
    """
    digest = hashlib.sha256()
    for t in sorted({0, frames.num_frames // 2, frames.num_frames - 1}):
        digest.update(np.ascontiguousarray(frames.read(t)).tobytes())
    return {"num_frames": frames.num_frames, "size": list(frames.size), "pixels": digest.hexdigest()}


def check_exists(folder: Path) -> None:
    """ValueError for a folder without a session."""
    if not (folder / NAME).is_file():
        raise ValueError(f"{folder} holds no session ({NAME} is missing); start one")


def save_state(folder: Path, state: SessionState, system: str, video: Mapping[str, Any], ids: Sequence[int]) -> None:
    """Write where a session stands, but for the frame that is worked on; OSError.

    system: what answers in it. video: see `video_facts`.
    """
    content = {
        "schema": SCHEMA,
        "system": system,
        "video": dict(video),
        "object_ids": list(ids),
        "given": list(state.given),
        "waiting": [{"frame": item.frame, "before": _from_view(item.before)} for item in state.waiting],
        "view": _from_view(state.view),
        "half_done": state.half_done,
    }
    atomic_write_json(folder / NAME, content)


def load_state(folder: Path, system: str, video: Mapping[str, Any]) -> tuple[SessionState, tuple[int, ...]]:
    """Read where a session stood, and its object ids.

    ValueError where there is no such file, it is damaged, or the session was of another system, which keeps other
    things beside the masks, or on another video, see `video_facts`.
    """
    check_exists(folder)
    path = folder / NAME
    content = read_json(path)
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"{path} has schema {content['schema']}, this version reads {SCHEMA}; use its version")
        state = SessionState(
            given=tuple(content["given"]),
            waiting=tuple(Waiting(frame=item["frame"], before=_to_view(item["before"])) for item in content["waiting"]),
            view=_to_view(content["view"]),
            half_done=content["half_done"],
        )
        ids, had, had_system = tuple(content["object_ids"]), content["video"], content["system"]
        height, width = had["size"]
        had_frames = f"{had['num_frames']} frames of {width}x{height}"
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what a session writes ({error!r}); it was damaged, start anew") from error
    if had_system != system:
        raise ValueError(
            f"the session in {folder} is one of {had_system}, not of {system}; give the networks of {had_system}"
        )
    if had != dict(video):
        height, width = video["size"]
        found = f"{video['num_frames']} of {width}x{height}"
        if {**had, "pixels": None} == {**video, "pixels": None}:
            found = "as many, but they show something else"
        raise ValueError(
            f"the session in {folder} is on a video of {had_frames}, this one has {found}; give the video that it was "
            "started on"
        )
    return state, ids


def _from_view(view: View) -> dict[str, Any]:
    return {"revision": view.revision, "hidden": sorted(view.hidden)}


def _to_view(content: Mapping[str, Any]) -> View:
    return View(revision=content["revision"], hidden=frozenset(content["hidden"]))
