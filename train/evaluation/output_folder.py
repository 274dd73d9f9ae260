"""Where results go, looked at before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import EvaluationError

DATA_MARKS = ("index.json", "JPEGImages", "meta.json")
"""What a corpus, a DAVIS tree and a split of YouTube-VOS have."""


def check_output_folder(out: Path, flag: str = "--out") -> None:
    """Raise EvaluationError when a folder cannot be made or written to, is a file, or holds data."""
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"{flag} {out} is a file; give a folder")
    for name in DATA_MARKS:
        if (out / name).exists():
            raise EvaluationError(f"{flag} {out} holds data ({name}), not results; give another folder")
    _check_writable(out, flag)


def check_output_file(path: Path, flag: str) -> None:
    """Raise EvaluationError when a file cannot be written: it is a folder, or its place is none or closed."""
    if path.is_dir():
        raise EvaluationError(f"{flag} {path} is a folder; give a file")
    _check_writable(path.parent, flag)


def _check_writable(folder: Path, flag: str) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise EvaluationError(f"{flag}: {there} is a file, so nothing can be put below it")
    if not os.access(there, os.W_OK):
        raise EvaluationError(f"{flag}: {there} cannot be written to; give another place")
