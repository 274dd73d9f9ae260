"""Finished results in files: taken over where they are of the same data and settings, refused where of others."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...datagen.imaging.images import decode_jpeg
from ...datagen.storage.files import read_json
from .errors import EvaluationError
from .sequences import AnnotatedSequence

Record = TypeVar("Record")


def finished_record(path: Path, identity: Mapping[str, Any], read: Callable[[dict[str, Any]], Record]) -> Record | None:
    """What `read` makes of the content of a JSON file whose "settings" are `identity`, a plain JSON object.

    None where there is no file, and where it is damaged, so that `read` fails: then it is as good as not there.
    Raises EvaluationError, naming the differences, when its settings are others.
    """
    try:
        content = read_json(path)
        there, record = _parts(content["settings"]), read(content)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    asked = _parts(identity)
    changed = [key for key in sorted(there.keys() | asked.keys()) if there.get(key) != asked.get(key)]
    if changed:
        differences = ", ".join(f"{key} was {_brief(there.get(key))}, is {_brief(asked.get(key))}" for key in changed)
        raise EvaluationError(
            f"{path} holds results of other settings or data ({differences}); "
            "give another --out, or --overwrite to replace them"
        )
    return record


def _parts(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted name -> value."""
    found = {}
    for name, value in settings.items():
        found |= _parts(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _brief(value: Any) -> str:
    # Of a digest the beginning tells it from another.
    return repr(f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else value)


def arrays_sha256(arrays: Iterable[tuple[Any, np.ndarray]]) -> str:
    """SHA-256 of named arrays: of names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, array in arrays:
        digest.update(f"{name} {array.shape} {array.dtype} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def sequence_sha256(sequence: AnnotatedSequence) -> str:
    """SHA-256 of all that is seen of a sequence and that it is scored against.

    Names and luma of all frames (luma tells pictures apart as well as colours do, in half the time), numbers and labels
    of the annotated ones.
    """
    frames = ((name, sequence.read_luma(t)) for t, name in enumerate(sequence.frame_names))
    labels = ((t, sequence.read_labels(t)) for t in sequence.annotated_frames)
    return arrays_sha256(itertools.chain(frames, labels))


def is_whole_jpeg(path: Path) -> bool:
    """Whether a JPEG is there and was not damaged after it was written."""
    try:
        decode_jpeg(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True
