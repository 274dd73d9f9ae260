"""Files that appear whole or not at all: temporary name, fsync, rename."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY_MARK = ".tmp-"


def is_temporary(path: Path) -> bool:
    """True for the name of a file that was still being written."""
    return path.name.startswith(".") and TEMPORARY_MARK in path.name


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes the name `path` only when the block ends without an exception.

    The content is on the disk (fsync) before the rename. On any exception the temporary file is removed and an older
    file at `path` stays as it was. OSError (a full disk, a missing folder) is raised again with `path` in its message.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}{TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            raise OSError(error.errno, f"cannot write the file: {os.strerror(error.errno)}", str(path)) from error
        raise


def atomic_write(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: after a crash at any instruction the old file or the new one is there."""
    with write_whole(path) as file:
        file.write(content)


def atomic_write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with the keys in the order given; same rules as `atomic_write`."""
    atomic_write(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_files(*paths: Path) -> None:
    """Remove files in the order given; those that do not exist are passed over."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_has_size(path: Path, num_bytes: int) -> bool:
    """True when `path` is a file of exactly `num_bytes` bytes."""
    try:
        return path.stat().st_size == num_bytes
    except FileNotFoundError:
        return False


def read_json(path: Path) -> Any:
    """Read a JSON file; a file that is not JSON is a ValueError that names it."""
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); it was damaged after it was written") from error
