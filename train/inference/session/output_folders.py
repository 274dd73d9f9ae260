"""Where a session without a screen may write: neither over the user's frames nor into data of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from ....datagen.storage import folder_lock
from ....datagen.storage.files import is_temporary
from ...evaluation.output_folder import check_output_folder
from . import annotation_store, session_file
from .store import FOLDER

if TYPE_CHECKING:
    from .command import Segment

OVERLAYS = "overlays"
"""The folder in the masks' own for the frames with their masks over them."""
LEFT_OF_A_START = (FOLDER, annotation_store.FOLDER, folder_lock.NAME)
"""What is in the folder of a session that was stopped before it stood on the disk."""


def check_folders(command: Segment) -> None:
    """ValueError where masks or the session would come to lie among frames or other data, or cannot be written."""
    for flag, folder in (("--out", command.out), ("--session", command.session)):
        check_output_folder(folder, flag)
    kept = (command.session / FOLDER).resolve()
    overlays = [("--overlays", command.out / OVERLAYS)] if command.overlays else []
    for flag, folder in (("--out", command.out), *overlays):
        if folder.resolve() == kept:
            raise ValueError(f"{flag}: {folder} is where the session keeps its own masks; give another --out")
    for flag, folder in (("--out", command.out), ("--session", command.session), ("--session", kept), *overlays):
        if folder.resolve() == command.video.resolve():
            raise ValueError(f"{flag}: {folder} is the folder of the frames; give another folder")
    _check_session_folder(command.session)
    if command.out.resolve() == command.session.resolve() or (command.out / session_file.NAME).exists():
        raise ValueError(f"--out {command.out} is the folder of a session; give another one for the masks")


def check_masks(out: Path, names: Sequence[str]) -> None:
    """ValueError where a folder holds anything but masks of these names, which are palette pictures, and overlays."""
    for path in sorted(out.iterdir()) if out.is_dir() else ():
        if path.name == OVERLAYS or is_temporary(path):
            continue
        if path.name not in names:
            raise ValueError(f"--out {out} holds {path.name}, which is no mask of this video; give another folder")
        try:
            with Image.open(path) as picture:
                mode = picture.mode
        except (UnidentifiedImageError, IsADirectoryError):
            mode = "unreadable"
        if mode != "P":
            raise ValueError(f"--out {out} holds {path.name}, which is no mask ({mode}); give another folder")


def _check_session_folder(folder: Path) -> None:
    if not folder.is_dir() or (folder / session_file.NAME).exists():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name not in LEFT_OF_A_START and not is_temporary(entry):
            raise ValueError(
                f"--session {folder} holds no session, but {entry.name}; give the folder of a session, or a new one"
            )
