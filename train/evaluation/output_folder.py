"""Where results go: looked at before anything is computed, and held by one run while it writes there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...datagen.storage import folder_lock
from ...datagen.storage.files import atomic_write_json, is_temporary, read_json
from .errors import EvaluationError, as_evaluation_errors

TREE_MARKS = ("index.json", "JPEGImages")
"""What a corpus, and a tree of DAVIS or YouTube-VOS, have at their top."""
DATA_MARKS = (*TREE_MARKS, "meta.json")
"""What a corpus, a DAVIS tree and a split of YouTube-VOS have."""
PARTIAL_MARK = ".partial"


COMMAND_FILE = "evaluation.json"
"""What says in a folder of results which command's they are."""


def check_output_folder(out: Path, flag: str = "--out", command: str | None = None) -> None:
    """Raise EvaluationError when a folder cannot be made or written to, is a file, holds data or lies among it.

    command: of vosforge-eval, whose results alone may be there; None looks at no results.
    """
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"{flag} {out} is a file; give a folder")
    for name in DATA_MARKS:
        if (out / name).exists():
            raise EvaluationError(f"{flag} {out} holds data ({name}), not results; give another folder")
    for above in out.resolve().parents:
        mark = next((name for name in TREE_MARKS if (above / name).exists()), None)
        if mark is not None:
            raise EvaluationError(f"{flag} {out} lies among the data in {above} ({mark}); give a folder elsewhere")
    if command is not None and out.is_dir():
        _check_results(out, flag, command)
    _check_writable(out, flag)


def check_output_file(path: Path, flag: str) -> None:
    """Raise EvaluationError when a file cannot be written: it is a folder, or its place is none or closed."""
    if path.is_dir():
        raise EvaluationError(f"{flag} {path} is a folder; give a file")
    _check_writable(path.parent, flag)


@contextlib.contextmanager
def hold_output_folder(out: Path, command: str) -> Iterator[None]:
    """Keep other runs out of a folder until the block or the process ends; it is made where there is none.

    command: of vosforge-eval, see `check_output_folder`; it is written down. Raises EvaluationError when another run
    holds the folder. Processes that work for this one write as they like.
    """
    out.mkdir(parents=True, exist_ok=True)
    refusal = EvaluationError(f"{out} is being written by another run; wait for it, or give another --out")
    with folder_lock.hold_lock(out / folder_lock.NAME, refusal):
        if not (out / COMMAND_FILE).exists():
            atomic_write_json(out / COMMAND_FILE, {"command": command})
        yield


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder, of this block alone, that takes the name and place of `target` once the block ends without fault.

    Two processes may be at the same one: a task is given to another worker while the lost one still lives.
    """
    partial = target.with_name(f".{target.name}{PARTIAL_MARK}-{os.getpid()}-{secrets.token_hex(4)}")
    partial.mkdir(parents=True)
    try:
        yield partial
        _take_place(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def remove_partial_folders(folder: Path) -> None:
    """Remove what killed runs left of `whole_folder` in a folder, or nothing where there is none; hold it first."""
    for path in folder.glob(f".*{PARTIAL_MARK}*"):
        shutil.rmtree(path, ignore_errors=True)


def _take_place(partial: Path, target: Path) -> None:
    replaced = partial.with_name(f"{partial.name}-replaced")
    while True:
        with contextlib.suppress(FileNotFoundError):
            target.rename(replaced)
        try:
            partial.rename(target)
            return
        except OSError as error:
            # Another process has put its own there meanwhile.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        finally:
            shutil.rmtree(replaced, ignore_errors=True)


def _check_results(out: Path, flag: str, command: str) -> None:
    """Raise EvaluationError when a folder holds anything but results of this command."""
    if (out / COMMAND_FILE).exists():
        with as_evaluation_errors():
            content = read_json(out / COMMAND_FILE)
        found = content.get("command") if isinstance(content, dict) else None
        if found != command:
            raise EvaluationError(
                f"{flag} {out} holds results of vosforge-eval {found}, not of {command}; give another folder"
            )
        return
    for entry in sorted(out.iterdir()):
        if entry.name != folder_lock.NAME and not is_temporary(entry):
            raise EvaluationError(
                f"{flag} {out} holds {entry.name}, no results of vosforge-eval {command}; give a new or empty folder"
            )


def _check_writable(folder: Path, flag: str) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise EvaluationError(f"{flag}: {there} is a file, so nothing can be put below it")
    if not os.access(there, os.W_OK):
        raise EvaluationError(f"{flag}: {there} cannot be written to; give another place")
