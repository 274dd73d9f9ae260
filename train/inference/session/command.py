"""`vosforge-train segment`: a session without a screen. Nothing heavy is imported before it runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import FrameSource
    from .given_inputs import FrameInputs
    from .video_session import VideoSession

STOPPED = 130
GOES_ON = "what was set is kept, the same command without inputs goes on"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Segment a video from masks, scribbles and clicks on some of its frames, and go on from there with more of them.

    The session is kept in a folder: the same command with further inputs corrects what is there, and carries the
    corrections through the video. What is stopped or killed goes on with the next call. The networks say which system
    answers: --propagation MiVOS, --ipn IPN, --atnet ATNet, --osvos OSVOS with a click network.
    """

    video: Positional[Path]
    """Video file, or folder of its frames (jpg, png)."""
    session: Path
    """Folder of the session; begun where there is none."""
    out: Path
    """Folder for the masks: palette pictures, named as the frames of a folder are, or by number."""
    propagation: Path | None = None
    """Checkpoint of a propagation network (MiVOS)."""
    s2m: Path | None = None
    """Checkpoint of a Scribble-to-Mask network; MiVOS needs it for scribbles and clicks."""
    fusion: Path | None = None
    """Checkpoint of a fusion network (MiVOS); without one, masks of two frames are blended by distance."""
    ipn: Path | None = None
    """Checkpoint of IPN, stage ipn-clips."""
    atnet: Path | None = None
    """Checkpoint of ATNet, stage atnet-t."""
    osvos: Path | None = None
    """Checkpoint of an OSVOS parent network, which is tuned to the given frames."""
    clicknet: Path | None = None
    """Checkpoint of a click network; needed beside --osvos for scribbles and clicks."""
    mask: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FRAME=PNG")] = ()
    """Masks of all objects of a frame: a palette picture of their ids, or one of 0 and 255 for object 1. An object that
    it does not show is not in the frame. Give the flag again for more."""
    scribbles: UseAppendAction[tuple[Path, ...]] = ()
    """Scribble file of the DAVIS interactive benchmark. Give the flag again for more."""
    click: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FRAME:OBJECT:+X,Y")] = ()
    """A click on an object (+) or beside it (-), pixels; object 0 is the background. Give the flag again for more."""
    objects: tuple[int, ...] = ()
    """Ids of the objects, 1 to 254; without them those of the first inputs."""
    overlays: bool = False
    """Also write the frames with their masks over them, OUT/overlays."""
    short_side: int | None = None
    """Pixels of the networks' input on the shorter side; the video's own without it."""
    top_k: int = 50
    """Memory cells each query cell reads; 0 reads all (MiVOS)."""
    memory_every: int = 5
    """Frames between two memory frames (MiVOS)."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Precision of propagation (MiVOS)."""
    tuning_iterations: int = 500
    """Updates by which OSVOS learns an object, each time that frames were given."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the networks run; auto takes CUDA where there is one."""


def run(command: Segment) -> int:
    """Apply the inputs, propagate and write all masks; returns 0, or 130 when it was stopped. ValueError, OSError."""
    import numpy as np

    from .chosen_session import choose_system, open_chosen_session
    from .given_inputs import collect_inputs
    from .output_folders import check_folders, check_masks

    check_folders(command)
    frames = open_frames(command.video)
    check_masks(command.out, mask_names(frames))
    inputs = collect_inputs(command.mask, command.scribbles, command.click, frames.num_frames, frames.size)
    draws = any(not isinstance(one, np.ndarray) for _, given in inputs for one in given.values())
    system = choose_system(command, draws=draws)
    # So many steps that all inputs can be taken back.
    with open_chosen_session(command, system, undo_depth=2 * len(inputs)) as session:
        enter(command, session, frames, inputs)
        try:
            give(session, inputs)
        except KeyboardInterrupt:
            print("stopped; no input was taken, the same command begins anew", file=sys.stderr)
            return STOPPED
        try:
            propagate(session)
            write_masks(command, session, frames)
        except KeyboardInterrupt:
            print(f"stopped; {GOES_ON}", file=sys.stderr)
            return STOPPED
        except OSError as error:
            raise OSError(f"{error}; {GOES_ON}") from error
    return 0


def enter(command: Segment, session: VideoSession, frames: FrameSource, inputs: Sequence[FrameInputs]) -> None:
    """Go on with the session in its folder, or begin it; ValueError when the inputs do not fit it."""
    from .draft import check_inputs
    from .given_inputs import ids_in
    from .session_file import NAME

    begun = (command.session / NAME).exists()
    if begun:
        session.resume(frames)
        if command.objects and set(command.objects) != set(session.object_ids):
            raise ValueError(
                f"the objects of the session in {command.session} are {list(session.object_ids)}, not "
                f"{list(command.objects)}; leave --objects out, or begin a session in another folder"
            )
    ids = session.object_ids if begun else command.objects or ids_in(inputs)
    if not ids:
        raise ValueError("no object is known; give --mask, --scribbles or --click on a frame that shows one")
    # All of them first, so that a mistake in the last changes nothing.
    for _, given in inputs:
        check_inputs(given, ids, frames.size)
    if not begun:
        session.start(frames, ids)


def give(session: VideoSession, inputs: Sequence[FrameInputs]) -> None:
    """Give and commit all inputs; none of them when that fails or is stopped, for given twice they would add up."""
    try:
        for t, given in inputs:
            session.interact(t, given)
            session.commit()
    except BaseException:
        for _ in range(session.num_steps):
            session.undo()
        raise


def propagate(session: VideoSession) -> None:
    """Carry what waits through the video, with a bar on stderr."""
    from rich.console import Console
    from rich.progress import track

    if waiting := session.num_waiting_frames:
        for _ in track(session.propagate(), "propagating", waiting, console=Console(stderr=True, markup=False)):
            pass


def open_frames(video: Path) -> FrameSource:
    """The frames of a file or a folder; ValueError."""
    if not video.exists():
        raise ValueError(f"there is no video at {video}; give a video file, or the folder of its frames")
    # Codecs print what they stumble over; what matters is said in our own line.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    from .frames import FolderFrames
    from .video_frames import VideoFrames

    return FolderFrames(video) if video.is_dir() else VideoFrames(video)


def mask_names(frames: FrameSource) -> list[str]:
    """File names of the masks: as the frames of a folder are called, or by number."""
    stems = [path.stem for path in getattr(frames, "paths", ())] or [f"{t:05d}" for t in range(frames.num_frames)]
    return [f"{stem}.png" for stem in stems]


def write_masks(command: Segment, session: VideoSession, frames: FrameSource) -> None:
    """Write the masks of all frames as palette pictures, and the frames under them where asked; OSError."""
    from ....datagen.imaging.images import encode_jpeg, encode_palette_png, overlay
    from ....datagen.storage.files import atomic_write
    from .output_folders import OVERLAYS

    command.out.mkdir(parents=True, exist_ok=True)
    overlays = command.out / OVERLAYS
    if command.overlays:
        overlays.mkdir(exist_ok=True)
    names = mask_names(frames)
    for t, name in enumerate(names):
        ids = session.masks(t)
        atomic_write(command.out / name, encode_palette_png(ids))
        if command.overlays:
            atomic_write((overlays / name).with_suffix(".jpg"), encode_jpeg(overlay(frames.read(t), ids)))
    print(f"{len(names)} masks in {command.out}; given were frames {', '.join(map(str, session.given_frames))}")
