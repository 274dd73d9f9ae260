"""Bytes of shards by position: `pread` on files that stay open in a folder, ranges in an object store."""

import collections
import os
import threading
from collections.abc import Mapping

from ..storage.store import Store
from .shards import DamagedFile

MAX_OPEN_SHARDS = 64


class ShardBytes:
    """Reads from the tars of a corpus. Can be pickled and used after a fork: each process opens its own files.

    sizes: file name in `shards/` -> bytes, as index.json has it.
    """

    def __init__(self, store: Store, sizes: Mapping[str, int]) -> None:
        self._store, self._sizes = store, dict(sizes)
        self._open_files: collections.OrderedDict[tuple[int, str], int] = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, tar: str, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; DamagedFile names a tar that is missing, cut or of another size."""
        if self._store.local_path(f"shards/{tar}") is None:
            try:
                content = self._store.read_range(f"shards/{tar}", offset, size)
            except FileNotFoundError:
                raise self.damaged(tar, "is missing; run the command that made the corpus again") from None
        else:
            # Threads may share a corpus: none may close a file that another is about to read.
            with self._lock:
                content = os.pread(self._descriptor(tar), size, offset)
        if len(content) > size:
            what = f"{len(content)} bytes came for a range of {size}; the server must serve byte ranges"
            raise ValueError(f"{self.where(tar)}: {what}")
        if len(content) != size:
            raise self.damaged(tar, f"is truncated: bytes up to {offset + size} are needed")
        return content

    def where(self, tar: str) -> str:
        """Return path or URL of a tar, for messages."""
        return self._store.full_name(f"shards/{tar}")

    def damaged(self, tar: str, what: str) -> DamagedFile:
        """Return the exception for a tar; `what` goes on after its name."""
        return DamagedFile(f"{self.where(tar)} {what}", f"shards/{tar}")

    def close(self) -> None:
        """Close the files that this process opened; the next read opens them again."""
        while self._open_files:
            (process, _), descriptor = self._open_files.popitem()
            if process == os.getpid():
                os.close(descriptor)

    def __getstate__(self) -> dict:
        return {"_store": self._store, "_sizes": self._sizes}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["_store"], state["_sizes"])

    def __del__(self) -> None:
        if hasattr(self, "_open_files"):
            self.close()

    def _descriptor(self, tar: str) -> int:
        # The process id is part of the name: a forked worker opens its own file.
        name = (os.getpid(), tar)
        if name in self._open_files:
            self._open_files.move_to_end(name)
            return self._open_files[name]
        check_size(self._store, f"shards/{tar}", self._sizes[tar])
        while len(self._open_files) >= MAX_OPEN_SHARDS:
            (process, _), descriptor = self._open_files.popitem(last=False)
            if process == os.getpid():
                os.close(descriptor)
        self._open_files[name] = os.open(self._store.local_path(f"shards/{tar}"), os.O_RDONLY)
        return self._open_files[name]


def check_size(store: Store, name: str, num_bytes: int | None) -> None:
    """Raise DamagedFile that names the file when it is missing or has another size (None: any) than index.json says."""
    found = store.size(name)
    if found is None:
        raise DamagedFile(f"{store.full_name(name)} is missing; run the command that made the corpus again", name)
    if num_bytes is not None and found != num_bytes:
        where = store.full_name(name)
        raise DamagedFile(f"{where} has {found} bytes, index.json says {num_bytes}; it was cut or changed", name)
