"""Deterministic tars: the same members give the same bytes, on any machine and at any time."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from ..storage.store import Store
from .records import Member

BLOCK_BYTES = tarfile.BLOCKSIZE
# Two zero blocks end a tar. No padding to 10,240 bytes, so that the size of a shard tells what is in it.
END_OF_TAR = bytes(2 * BLOCK_BYTES)
_COPY_BYTES = 1 << 20


class DamagedFile(ValueError):
    """Stored bytes are not the bytes that were written; `name` is the file in its store."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.name)  # it comes out of worker processes


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


def write_hashed_tar(
    store: Store, name: str, members: Iterable[tuple[str, bytes]]
) -> tuple[list[Member], dict[str, Any]]:
    """Write a tar with the members in the order given.

    Returns where their data lies, and {"tar": file name, "bytes", "sha256"} of the file. The file gets its name only
    when it is whole (see `Store.write_file`).
    """
    placed = []
    with store.write_file(name) as file:
        output = _HashingFile(file)
        for member, content in members:
            output.write(member_header(member, len(content)))
            placed.append(Member(member, output.num_bytes, len(content)))
            output.write(content)
            output.write(bytes(padded(len(content)) - len(content)))
        output.write(END_OF_TAR)
    return placed, {"tar": _file_name(name), "bytes": output.num_bytes, "sha256": output.sha256()}


def clip_span(clip: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes [start, stop) that a clip takes in its tar, from the first header to the end of the padding."""
    if not clip["members"]:
        return clip["offset"], clip["offset"]
    _, offset, size = clip["members"][-1]
    return clip["offset"], padded(offset + size)


def concatenate_tars(store: Store, name: str, parts: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Join part tars, each with its name and its manifest, into one tar and return the manifest of the result.

    A part's manifest has "bytes", "sha256", "offset" (of its first header) and "members"; the result has "tar",
    "bytes", "sha256" and "clips" with the offsets in the new tar. Every part is hashed while it is copied: one whose
    bytes changed since it was written raises DamagedFile that names it, and the file does not appear.
    """
    clips = []
    with store.write_file(name) as file:
        output = _HashingFile(file)
        for part_name, part in parts:
            start, stop = clip_span(part)
            shift = output.num_bytes - start
            _copy_checked(store, part_name, part, start, stop, output)
            clip = {name: value for name, value in part.items() if name not in ("tar", "bytes", "sha256", "passes")}
            clip["offset"] = start + shift
            clip["members"] = [[member, offset + shift, size] for member, offset, size in part["members"]]
            clips.append(clip)
        output.write(END_OF_TAR)
    return {"tar": _file_name(name), "bytes": output.num_bytes, "sha256": output.sha256(), "clips": clips}


def _copy_checked(store: Store, name: str, part: dict[str, Any], start: int, stop: int, output: _HashingFile) -> None:
    seen = hashlib.sha256()
    position = 0
    with store.open_read(name) as file:
        while content := file.read(_COPY_BYTES):
            seen.update(content)
            output.write(content[max(0, start - position) : max(0, stop - position)])
            position += len(content)
    if position != part["bytes"] or seen.hexdigest() != part["sha256"]:
        where = store.full_name(name)
        raise DamagedFile(f"{where} changed since it was written ({position} bytes, {part['bytes']} expected)", name)


def _file_name(name: str) -> str:
    return name.rpartition("/")[2]


def read_members(content: bytes) -> list[tuple[str, bytes]]:
    """Return (name, bytes) of every member of a tar held in memory, in tar order."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return [(header.name, archive.extractfile(header).read()) for header in archive if header.isfile()]
