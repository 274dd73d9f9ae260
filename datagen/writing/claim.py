"""Claim a folder or a prefix of an object store for one corpus, and a folder for one process."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..corpus.description import CorpusDescription
from ..storage.files import is_temporary, remove_files
from ..storage.folder_lock import hold_lock
from ..storage.store import Store

FOLDERS = ("journal", "parts", "shards", "staging")
DESCRIPTION_NAME = "journal/corpus.json"
_LOCKS: dict[str, Any] = {}


class CorpusMismatch(ValueError):
    """The output folder holds something else than the corpus that was asked for."""


def claim_store(store: Store, description: CorpusDescription) -> None:
    """Make `store` the place of this corpus, or go on with it, and keep other processes from writing to a folder.

    An object store has no locks: two runs of the same corpus do there the same work twice and write equal bytes.
    Leftovers of a killed run (temporary files, staging) are removed. CorpusMismatch when the place holds another
    corpus (the differing fields are named), foreign files, or is a folder being written by another process.
    """
    wanted, root = description.as_json(), store.local_path("")
    stored = _same_description(store, wanted)
    if root is not None:
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        _lock(root)
        stored = _same_description(store, wanted)  # another process may have begun before the lock was ours
    if stored is None:
        store.write_json(DESCRIPTION_NAME, wanted)
    if root is not None:
        _remove_leftovers(root)


def release_store(store: Store) -> None:
    """Let another process write to this folder; the end of the process does the same."""
    root = store.local_path("")
    lock = None if root is None else _LOCKS.pop(str(root.resolve()), None)
    if lock is not None:
        lock.close()


def _same_description(store: Store, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The description that lies there, None when there is none; CorpusMismatch when it is another one."""
    stored = _stored_description(store)
    if stored is not None and stored != wanted:
        raise CorpusMismatch(_describe_difference(store, stored, wanted))
    return stored


def _stored_description(store: Store) -> dict[str, Any] | None:
    root = store.local_path("")
    if root is not None and root.exists() and not root.is_dir():
        raise CorpusMismatch(f"{root} is a file; give a folder that does not exist or holds this corpus")
    if store.size(DESCRIPTION_NAME) is not None:
        return store.read_json(DESCRIPTION_NAME)
    for foreign in _foreign_names(store):
        raise CorpusMismatch(
            f"{store.url} is not empty and holds no corpus that was begun here (it has {foreign}); give an empty folder"
        )
    return None


def _foreign_names(store: Store) -> Iterator[str]:
    """A run killed while it was being set up leaves empty folders and its lock (and temporary files, never listed)."""
    yield from store.names("")
    yield from (folder for folder in store.folders("") if folder not in FOLDERS)
    for folder in FOLDERS:
        yield from (name for name in _names_below(store, folder) if name != "writer.lock")


def _names_below(store: Store, folder: str) -> Iterator[str]:
    yield from store.names(folder)
    for inner in store.folders(folder):
        yield from _names_below(store, f"{folder}/{inner}")


def _lock(root: Path) -> None:
    name = str(root.resolve())
    if name in _LOCKS:
        return
    # Where there are no locks two writers are not told apart, but commits stay atomic.
    refusal = CorpusMismatch(f"{root} is being written by another process; wait for it or stop it")
    _LOCKS[name] = hold_lock(root / "journal/writer.lock", refusal)


def _remove_leftovers(root: Path) -> None:
    for folder in (root, root / "parts", root / "shards", root / "journal"):
        remove_files(*[entry for entry in folder.iterdir() if is_temporary(entry)])
    for entry in (root / "staging").iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            remove_files(entry)


def _describe_difference(store: Store, stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    differences = []
    for name in sorted(stored.keys() | wanted.keys()):
        old, new = stored.get(name), wanted.get(name)
        if name == "parameters" and isinstance(old, dict) and isinstance(new, dict):
            for parameter in sorted(old.keys() | new.keys()):
                if old.get(parameter) != new.get(parameter):
                    differences.append(f"{parameter} is {old.get(parameter)!r}, asked for {new.get(parameter)!r}")
        elif old != new:
            differences.append(f"{name} is {old!r}, asked for {new!r}")
    return f"{store.url} holds another corpus: {'; '.join(differences)}; give another folder or the same settings"
