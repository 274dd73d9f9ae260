"""A corpus in a folder: temporary name, fsync, rename."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .files import is_temporary, remove_files, write_whole
from .store import Store


class FolderStore(Store):
    """Files below a folder; subfolders come with their first file, the folder itself must be there."""

    def __init__(self, root: Path) -> None:
        self.location, self.root, self.url = root, root, str(root)

    def local_path(self, name: str) -> Path:
        return self.root / name

    def read_bytes(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        with open(self.root / name, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def open_read(self, name: str) -> BinaryIO:
        return open(self.root / name, "rb")

    @contextlib.contextmanager
    def write_file(self, name: str) -> Iterator[BinaryIO]:
        path = self.root / name
        # Not the root: an output disk that is not mounted must not be replaced by a new folder.
        if not path.parent.is_dir() and self.root.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path) as file:
            yield file

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        for entry in self._entries(folder):
            if not entry.is_dir() and not is_temporary(Path(entry.name)):
                # Another process may remove a file between the listing and this look at it.
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = entry.stat().st_size
        return found

    def folders(self, folder: str) -> list[str]:
        return [entry.name for entry in self._entries(folder) if entry.is_dir()]

    def size(self, name: str) -> int | None:
        path = self.root / name
        try:
            return path.stat().st_size if path.is_file() else None
        except FileNotFoundError:
            return None

    def remove(self, *names: str) -> None:
        remove_files(*[self.root / name for name in names])

    def _entries(self, folder: str) -> list[os.DirEntry]:
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
