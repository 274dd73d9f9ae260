"""Where the files of a corpus lie: a folder, or an object store behind any fsspec URL. The only file with fsspec.

A store maps names such as `shards/clips-00000.tar` to bytes. A write appears whole or not at all: in a folder by a
rename (folder_store.py), in an object store by one PUT or multipart upload, which take effect when they are complete.
"""

import contextlib
import errno
import io
import json
import os
import re
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

# Waits before the repeats of a request that failed, in seconds; s3fs repeats some on its own before.
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
STREAM_BYTES = 8 << 20
_PARALLEL_READS = 16
# One layer of retries, this one: botocore's own would multiply with it.
_OPTIONS = {"s3": {"config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 1}}}}


class Store(ABC):
    """Names to bytes; names are relative, with "/". Instances can be pickled and used after a fork.

    `location` is what was opened, as `corpus_location` gives it; `url` is the same as text for messages. Reading what
    is not there raises FileNotFoundError; other failures are an OSError that names the file or object.
    """

    location: Path | str
    url: str

    @abstractmethod
    def read_bytes(self, name: str) -> bytes:
        """Return the content."""

    @abstractmethod
    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on, fewer at the end of the file."""

    @abstractmethod
    def write_file(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a binary file that takes its name, whole, only when the block ends without an exception."""

    @abstractmethod
    def sizes(self, folder: str) -> dict[str, int]:
        """Return name -> size in bytes of the files directly under `folder` ("" for the top), sorted by name."""

    @abstractmethod
    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders directly under `folder`, sorted."""

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Return the size in bytes, None when there is no such file."""

    @abstractmethod
    def remove(self, *names: str) -> None:
        """Remove files in the order given; those that do not exist are passed over."""

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file in one step; it replaces an older one."""
        with self.write_file(name) as file:
            file.write(content)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly under `folder`, sorted; files still being written are left out."""
        return list(self.sizes(folder))

    def local_path(self, name: str) -> Path | None:
        """Return the path of a file on a local file system, None in an object store."""
        return None

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of several files."""
        return [self.read_bytes(name) for name in names]

    def open_read(self, name: str) -> BinaryIO:
        """Open a file for reading from its start to its end."""
        return io.BufferedReader(_RangeReader(self, name), STREAM_BYTES)

    def full_name(self, name: str) -> str:
        """Return path or URL of a file, for messages."""
        return f"{self.url}/{name}"

    def parse_json(self, name: str, content: bytes) -> Any:
        """Return the value of a JSON file that was read; ValueError names it when it is not JSON."""
        try:
            return json.loads(content)
        except ValueError as error:
            where = self.full_name(name)
            raise ValueError(f"{where} is not valid JSON ({error}); it was damaged after it was written") from error

    def read_json(self, name: str) -> Any:
        """Read a JSON file; one that is not JSON is a ValueError that names it."""
        return self.parse_json(name, self.read_bytes(name))

    def write_json(self, name: str, value: Any) -> None:
        """Write `value` as indented JSON with the keys in the order given."""
        self.write_bytes(name, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def corpus_location(text: str) -> Path | str:
    """Return a folder as a Path and a URL as text; for command lines. `file://` URLs are folders."""
    if "://" not in text:
        return Path(text)
    return Path(text.removeprefix("file://")) if text.startswith("file://") else text.rstrip("/")


def open_store(target: "str | Path | Store") -> Store:
    """Return the store of a folder path or of an fsspec URL (`s3://bucket/prefix`, `memory://x`, ...).

    Nothing is read or written yet. ValueError for a URL that was made a Path and lost a slash that way.
    """
    from .folder_store import FolderStore

    if isinstance(target, Store):
        return target
    location = corpus_location(target) if isinstance(target, str) else Path(target)
    if isinstance(location, str):
        return ObjectStore(location)
    if re.match(r"[a-z0-9+]{2,}:/", str(location)):
        raise ValueError(f"{location} is a URL that lost a slash as a path; pass it as text, protocol://...")
    return FolderStore(location)


class ObjectStore(Store):
    """Objects below a prefix of anything that fsspec knows.

    Requests that fail for a passing reason (refused connections, 5xx, throttling) are repeated, with growing waits;
    then OSError names the URL and says what to do. Listings are never cached: another process may have written.
    """

    def __init__(self, url: str) -> None:
        self.location = self.url = url.rstrip("/")
        self._opened: tuple[int, Any, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def read_bytes(self, name: str) -> bytes:
        return self._call("read", name, lambda system, path: system.cat_file(path))

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        if size <= 0:
            return b""
        try:
            return self._call("read", name, lambda system, path: system.cat_file(path, start=offset, end=offset + size))
        except OSError as error:
            if error.errno == errno.EINVAL:  # a range that lies wholly behind the end
                return b""
            raise

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            return list(pool.map(self.read_bytes, names))

    def write_bytes(self, name: str, content: bytes) -> None:
        self._call("write", name, lambda system, path: system.pipe_file(path, content))

    @contextlib.contextmanager
    def write_file(self, name: str) -> Iterator[BinaryIO]:
        # Through a local file: an upload that is cut by an exception here must not become an object, and a repeat
        # needs the content again.
        with tempfile.NamedTemporaryFile(prefix="vosforge-upload-") as file:
            try:
                yield file
                file.flush()
            except OSError as error:
                if error.errno is None or error.filename is not None:
                    raise
                what = f"cannot write the temporary file {file.name} ({os.strerror(error.errno)}), set TMPDIR"
                raise OSError(error.errno, what, self.full_name(name)) from error
            self._call("write", name, lambda system, path: system.put_file(file.name, path))

    def sizes(self, folder: str) -> dict[str, int]:
        entries = [entry for entry in self._entries(folder) if entry["type"] == "file"]
        return {_last(entry["name"]): entry["size"] for entry in sorted(entries, key=lambda entry: entry["name"])}

    def folders(self, folder: str) -> list[str]:
        return sorted(_last(entry["name"]) for entry in self._entries(folder) if entry["type"] == "directory")

    def size(self, name: str) -> int | None:
        try:
            entry = self._call("read", name, lambda system, path: system.info(path))
        except FileNotFoundError:
            return None
        return entry["size"] if entry["type"] == "file" else None

    def remove(self, *names: str) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._call("remove", name, lambda system, path: system.rm_file(path))

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        def list_folder(system: Any, path: str) -> list[dict[str, Any]]:
            # An object with the name of the folder itself marks an empty folder in some consoles.
            return [entry for entry in system.ls(path, detail=True) if entry["name"].rstrip("/") != path.rstrip("/")]

        try:
            return self._call("list", folder, list_folder)
        except FileNotFoundError:
            return []

    def _open(self) -> tuple[Any, str]:
        # A forked process needs its own connections.
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                import fsspec
            except ImportError as error:
                raise ValueError(f"{self.url} needs fsspec; install vosforge[s3]") from error
            protocol = self.url.partition("://")[0]
            try:
                system, path = fsspec.url_to_fs(self.url, use_listings_cache=False, **_OPTIONS.get(protocol, {}))
            except ImportError as error:
                raise ValueError(f"{self.url} cannot be opened: {error}") from error
            self._opened = (os.getpid(), system, path.rstrip("/"))
        return self._opened[1:]

    def _call(self, action: str, name: str, function: Callable[[Any, str], Any]) -> Any:
        system, root = self._open()
        path, where = (f"{root}/{name}" if name else root), self.full_name(name)
        for wait in (*RETRY_SECONDS, None):
            try:
                return function(system, path)
            except FileNotFoundError as error:
                if action != "write":
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where) from error
                what = f"cannot write: {_one_line(error)}; create the bucket or correct the URL"
                raise OSError(errno.ENOENT, what, where) from error
            except Exception as error:  # whatever the client of that store raises; raised again below
                if _is_final(error):
                    what = f"cannot {action}: {_one_line(error)}; check the credentials, their rights and the URL"
                    raise OSError(getattr(error, "errno", None) or errno.EACCES, what, where) from error
                if wait is None:
                    tries = len(RETRY_SECONDS) + 1
                    what = f"cannot {action}, {tries} tries failed, the last with: {_one_line(error)}; check the "
                    what += "connection to the store and run the same command again"
                    raise OSError(errno.EIO, what, where) from error
                time.sleep(wait)
        raise AssertionError("the last wait is None")


class _RangeReader(io.RawIOBase):
    """Reads an object by ranges, from its start on."""

    def __init__(self, store: Store, name: str) -> None:
        size = store.size(name)
        if size is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), store.full_name(name))
        self._store, self._name, self._size, self._position = store, name, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._position)
        content = self._store.read_range(self._name, self._position, wanted)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def _is_final(error: Exception) -> bool:
    """True when a repeat cannot help: no right, no credentials, a request that is wrong in itself."""
    # By name, as botocore is there only for some stores.
    names = {kind.__name__ for kind in type(error).__mro__}
    unusable = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ParamValidationError"}
    if names & unusable or isinstance(error, PermissionError | ValueError | TypeError | NotImplementedError):
        return True
    return isinstance(error, OSError) and error.errno in (errno.EINVAL, errno.EPERM, errno.ENOSPC)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
