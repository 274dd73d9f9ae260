"""Compare one tar of a corpus with what index and manifest say of it."""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..corpus.shards import read_members
from ..storage.store import Store


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, and with which file or clip of the corpus."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read_tar(store: Store, name: str, record: Mapping[str, Any], found: list[Problem]) -> bytes | None:
    """Return the content of a tar, None when it is missing; a wrong size or SHA-256 is added to `found`.

    record: "bytes" and "sha256" from index.json.
    """
    try:
        content = store.read_bytes(name)
    except FileNotFoundError:
        found.append(Problem(where=name, what="is missing"))
        return None
    if len(content) != record["bytes"]:
        found.append(Problem(where=name, what=f"has {len(content)} bytes, index.json says {record['bytes']}"))
    elif hashlib.sha256(content).hexdigest() != record["sha256"]:
        found.append(Problem(where=name, what="its SHA-256 is not the one in index.json"))
    return content


def read_listed_members(
    name: str, content: bytes, listed: Sequence[Sequence[Any]], found: list[Problem]
) -> list[tuple[str, bytes]] | None:
    """Return (name, bytes) of the members, None when they are not those listed; wrong places are added to `found`.

    listed: (name, offset, size) of every member from the manifest.
    """
    try:
        members = read_members(content)
    except tarfile.TarError as error:
        found.append(Problem(where=name, what=f"is not a readable tar: {error}"))
        return None
    if [member for member, _ in members] != [member for member, _, _ in listed]:
        found.append(Problem(where=name, what=f"holds {len(members)} members, not the {len(listed)} of its manifest"))
        return None
    for (member, offset, size), (_, stored) in zip(listed, members, strict=True):
        if content[offset : offset + size] != stored:
            found.append(Problem(where=f"{name}, {member}", what="its offset or size in the manifest is wrong"))
    return members
