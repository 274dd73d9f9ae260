"""One session at a time in a folder."""

from pathlib import Path
from typing import BinaryIO

from ....datagen.storage.folder_lock import NAME, hold_lock


def hold_folder(folder: Path) -> BinaryIO:
    """Hold a folder until the file that is returned is closed, or the process ends, in whatever way.

    The folder is made where there is none. ValueError where another process holds it, or another session of this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = ValueError(
        f"the session in {folder} is open already, in another process as a rule; end that one or wait for it, or give "
        "another folder"
    )
    return hold_lock(folder / NAME, refusal)
