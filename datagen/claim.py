"""Claim an output folder for one corpus and one process."""

import errno
import fcntl
import shutil
from pathlib import Path
from typing import Any

from .description import CorpusDescription
from .files import atomic_write_json, is_temporary, read_json, remove_files

FOLDERS = ("journal", "parts", "shards", "staging")
_LOCKS: dict[str, Any] = {}


class CorpusMismatch(ValueError):
    """The output folder holds something else than the corpus that was asked for."""


def claim_folder(root: Path, description: CorpusDescription) -> None:
    """Make `root` the folder of this corpus, or go on with it, and keep other processes from writing to it.

    Leftovers of a killed run (temporary files, staging) are removed. CorpusMismatch when the folder holds another
    corpus (the differing fields are named), foreign files, or is being written by another process.
    """
    wanted, stored = description.as_json(), _stored_description(root)
    if stored is not None and stored != wanted:
        raise CorpusMismatch(_describe_difference(root, stored, wanted))
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    _lock(root)
    if stored is None:
        atomic_write_json(root / "journal/corpus.json", wanted)
    _remove_leftovers(root)


def release_folder(root: Path) -> None:
    """Let another process write to this folder; the end of the process does the same."""
    lock = _LOCKS.pop(str(root.resolve()), None)
    if lock is not None:
        lock.close()


def _stored_description(root: Path) -> dict[str, Any] | None:
    if root.exists() and not root.is_dir():
        raise CorpusMismatch(f"{root} is a file; give a folder that does not exist or holds this corpus")
    path = root / "journal/corpus.json"
    if path.exists():
        return read_json(path)
    foreign = [entry for entry in root.rglob("*") if _is_foreign(root, entry)] if root.exists() else []
    if foreign:
        raise CorpusMismatch(
            f"{root} is not empty and holds no corpus that was begun here (it has {foreign[0].name}); "
            "give an empty folder"
        )
    return None


def _is_foreign(root: Path, entry: Path) -> bool:
    # A run killed while it was being set up leaves empty folders, its lock and temporary files.
    if entry.is_dir():
        return entry.relative_to(root).parts[0] not in FOLDERS
    return entry.name != "writer.lock" and not is_temporary(entry)


def _lock(root: Path) -> None:
    name = str(root.resolve())
    if name in _LOCKS:
        return
    lock = open(root / "journal/writer.lock", "wb")  # noqa: SIM115 (held until release_folder or the end)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise CorpusMismatch(f"{root} is being written by another process; wait for it or stop it") from error
    except OSError as error:
        # Some network file systems have no locks: two writers are not told apart there, but commits stay atomic.
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            lock.close()
            raise
    _LOCKS[name] = lock


def _remove_leftovers(root: Path) -> None:
    for folder in (root, root / "parts", root / "shards", root / "journal"):
        remove_files(*[entry for entry in folder.iterdir() if is_temporary(entry)])
    for entry in (root / "staging").iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            remove_files(entry)


def _describe_difference(root: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    differences = []
    for name in sorted(stored.keys() | wanted.keys()):
        old, new = stored.get(name), wanted.get(name)
        if name == "parameters" and isinstance(old, dict) and isinstance(new, dict):
            for parameter in sorted(old.keys() | new.keys()):
                if old.get(parameter) != new.get(parameter):
                    differences.append(f"{parameter} is {old.get(parameter)!r}, asked for {new.get(parameter)!r}")
        elif old != new:
            differences.append(f"{name} is {old!r}, asked for {new!r}")
    return f"{root} holds another corpus: {'; '.join(differences)}; give another folder or the same settings"
