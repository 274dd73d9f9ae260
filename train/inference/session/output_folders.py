"""Where a session without a screen may write: neither over the user's frames nor into data of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...evaluation.output_folder import check_output_folder
from .store import FOLDER

if TYPE_CHECKING:
    from .command import Segment

OVERLAYS = "overlays"
"""The folder in the masks' own for the frames with their masks over them."""
TREE_MARKS = ("index.json", "JPEGImages")
"""What a corpus, and a tree of DAVIS or YouTube-VOS, have at their top."""


def check_folders(command: Segment) -> None:
    """ValueError where masks or the session would come to lie among frames or other data, or cannot be written."""
    for flag, folder in (("--out", command.out), ("--session", command.session)):
        check_output_folder(folder, flag)
        for above in folder.resolve().parents:
            mark = next((name for name in TREE_MARKS if (above / name).exists()), None)
            if mark is not None:
                raise ValueError(f"{flag} {folder} lies among the data in {above} ({mark}); give a folder elsewhere")
    kept = (command.session / FOLDER).resolve()
    overlays = [("--overlays", command.out / OVERLAYS)] if command.overlays else []
    for flag, folder in (("--out", command.out), *overlays):
        if folder.resolve() == kept:
            raise ValueError(f"{flag}: {folder} is where the session keeps its own masks; give another --out")
    for flag, folder in (("--out", command.out), ("--session", command.session), ("--session", kept), *overlays):
        if folder.resolve() == command.video.resolve():
            raise ValueError(f"{flag}: {folder} is the folder of the frames; give another folder")
