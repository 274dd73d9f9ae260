"""Deterministic tars: the same members give the same bytes, on any machine and at any time."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from .files import write_whole
from .records import Member

BLOCK_BYTES = tarfile.BLOCKSIZE
# Two zero blocks end a tar. No padding to 10,240 bytes, so that the size of a shard tells what is in it.
END_OF_TAR = bytes(2 * BLOCK_BYTES)
_COPY_BYTES = 1 << 20


class DamagedFile(ValueError):
    """Bytes on the disk are not the bytes that were written; `path` is the file."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class _HashingFile:
    """Counts and hashes what is written through it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.num_bytes = file, hashlib.sha256(), 0

    def write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)
        self.num_bytes += len(content)

    def sha256(self) -> str:
        return self._hash.hexdigest()


def padded(num_bytes: int) -> int:
    """Return `num_bytes` rounded up to whole tar blocks."""
    return -(-num_bytes // BLOCK_BYTES) * BLOCK_BYTES


def member_header(name: str, size: int) -> bytes:
    """Return the 512-byte ustar header: mtime 0, owner 0, mode 0644; ValueError when the name exceeds 100 bytes."""
    if len(name.encode()) > tarfile.LENGTH_NAME:
        raise ValueError(f"the member name {name!r} does not fit a ustar header; use at most 100 bytes")
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, 0, 0o644
    return header.tobuf(tarfile.USTAR_FORMAT)


def write_hashed_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> tuple[list[Member], dict[str, Any]]:
    """Write a tar with the members in the order given.

    Returns where their data lies, and {"tar": file name, "bytes", "sha256"} of the file. The file appears at `path`
    only when it is whole (see `write_whole`).
    """
    placed = []
    with write_whole(path) as file:
        output = _HashingFile(file)
        for name, content in members:
            output.write(member_header(name, len(content)))
            placed.append(Member(name, output.num_bytes, len(content)))
            output.write(content)
            output.write(bytes(padded(len(content)) - len(content)))
        output.write(END_OF_TAR)
    return placed, {"tar": Path(path).name, "bytes": output.num_bytes, "sha256": output.sha256()}


def clip_span(clip: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes [start, stop) that a clip takes in its tar, from the first header to the end of the padding."""
    _, offset, size = clip["members"][-1]
    return clip["offset"], padded(offset + size)


def concatenate_tars(path: Path, parts: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """Join part tars, each with its manifest, into one tar and return the manifest of the result.

    A part's manifest has "bytes", "sha256", "offset" (of its first header) and "members"; the result has "tar",
    "bytes", "sha256" and "clips" with the offsets in the new tar. Every part is hashed while it is copied: one whose
    bytes changed since it was written raises DamagedFile that names it, and no file appears at `path`.
    """
    clips = []
    with write_whole(path) as file:
        output = _HashingFile(file)
        for part_path, part in parts:
            start, stop = clip_span(part)
            shift = output.num_bytes - start
            _copy_checked(part_path, part, start, stop, output)
            clip = {name: value for name, value in part.items() if name not in ("tar", "bytes", "sha256")}
            clip["offset"] = start + shift
            clip["members"] = [[name, offset + shift, size] for name, offset, size in part["members"]]
            clips.append(clip)
        output.write(END_OF_TAR)
    return {"tar": Path(path).name, "bytes": output.num_bytes, "sha256": output.sha256(), "clips": clips}


def _copy_checked(path: Path, part: dict[str, Any], start: int, stop: int, output: _HashingFile) -> None:
    seen = hashlib.sha256()
    position = 0
    with open(path, "rb") as file:
        while content := file.read(_COPY_BYTES):
            seen.update(content)
            output.write(content[max(0, start - position) : max(0, stop - position)])
            position += len(content)
    if position != part["bytes"] or seen.hexdigest() != part["sha256"]:
        message = f"{path} changed since it was written ({position} bytes, {part['bytes']} expected)"
        raise DamagedFile(message, path)


def read_members(content: bytes) -> list[tuple[str, bytes]]:
    """Return (name, bytes) of every member of a tar held in memory, in tar order."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return [(header.name, archive.extractfile(header).read()) for header in archive if header.isfile()]
