"""The runs of a COCO RLE: alternating lengths of background and object, column by column, background first."""

from collections.abc import Mapping, Sequence
from typing import Any

_FIRST_CHARACTER = 48
_MORE, _NEGATIVE, _DIGIT = 0x20, 0x10, 0x1F
_BITS_A_CHARACTER = 5


def parse_runs(counts: str | Sequence[int]) -> list[int]:
    """Return the lengths of the runs of `counts`, compressed text or plain numbers; ValueError when it is malformed.

    The text has little-endian groups of 5 bits in characters from "0" on, the last with the sign of the number; from
    the fourth number on they are differences to the run before the last.
    """
    if not isinstance(counts, str):
        if not all(isinstance(run, int) and run >= 0 for run in counts):
            raise ValueError("the runs of an RLE must be whole numbers from 0 on")
        return list(counts)
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 2 * _MORE:
            raise ValueError(f"the character {character!r} has no meaning in a compressed RLE")
        value |= (code & _DIGIT) << shift
        shift += _BITS_A_CHARACTER
        if code & _MORE:
            continue
        if code & _NEGATIVE:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        if runs[-1] < 0:
            raise ValueError(f"run {len(runs)} of the RLE is negative")
        value = shift = 0
    if shift:
        raise ValueError("the RLE is cut off")
    return runs


def check_runs(rle: Mapping[str, Any]) -> None:
    """Raise ValueError unless the runs of an RLE fill its size exactly.

    pycocotools leaves pixels behind a short RLE as they happen to lie in memory.
    """
    height, width = rle["size"]
    total = sum(parse_runs(rle["counts"]))
    if total != height * width:
        raise ValueError(f"the runs of the RLE cover {total} pixels of {height} x {width} = {height * width}")
