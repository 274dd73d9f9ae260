"""The MATLAB files of SBD: one struct GTinst with the instances of a picture and their categories.

A reader of the few types that these files use (MATLAB 5 format, level 5 MAT-file), because scipy.io.loadmat ends the
whole process on some broken files.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..corpus.records import IGNORE_ID

_HEADER_BYTES, _ENDIAN_AT = 128, 126
_ORDERS = {b"IM": "<", b"MI": ">"}
_STORAGE = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT_CLASS, _NUMERIC_CLASSES = 2, range(6, 16)
_MOST_BYTES = 1 << 28
"""Of a decompressed variable: a broken length must not fill the memory."""


def read_instances(path: Path) -> tuple[np.ndarray, list[int]]:
    """Return (ids, categories) of a file inst/*.mat: uint8 (H, W) with 0 background, and the category of id 1, 2, ...

    Raises ValueError or OSError that names the file.
    """
    content = path.read_bytes()
    try:
        fields = _read_struct(content, "GTinst")
        ids, categories = fields["Segmentation"], fields["Categories"].ravel().tolist()
    except (ValueError, KeyError, IndexError, StopIteration, struct.error, zlib.error) as error:
        raise ValueError(f"{path} is not a MATLAB file with the struct GTinst of SBD: {error!r}") from error
    present = set(np.unique(ids).tolist()) - {0, IGNORE_ID}
    if not present <= set(range(1, len(categories) + 1)):
        raise ValueError(f"{path}: GTinst has {len(categories)} categories but the instances {sorted(present)}")
    return ids.astype(np.uint8), [int(category) for category in categories]


class _Array(NamedTuple):
    """The head of a matrix element, and the elements that follow it."""

    name: str
    array_class: int
    shape: tuple[int, ...]
    content: Iterator[tuple[int, bytes]]


def _read_struct(content: bytes, name: str) -> dict[str, np.ndarray]:
    """The numeric fields of the variable `name`, a struct of one element."""
    order = _ORDERS.get(content[_ENDIAN_AT:_HEADER_BYTES])
    if order is None or content[: _ENDIAN_AT + 2].startswith(b"MATLAB 7.3"):
        raise ValueError("the header is not that of MATLAB 5")
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            kind, data = next(_elements(_decompress(data), order))
        if kind != _MATRIX:
            continue
        variable = _open(data, order)
        if variable.name == name:
            return _fields(variable, order)
    raise ValueError(f"it has no variable {name}")


def _fields(variable: _Array, order: str) -> dict[str, np.ndarray]:
    if variable.array_class != _STRUCT_CLASS or variable.shape != (1, 1):
        raise ValueError(f"{variable.name} is no struct of one element")
    (length,) = struct.unpack(order + "i", next(variable.content)[1])
    names = next(variable.content)[1]
    if length < 1:
        raise ValueError(f"the names of its fields have {length} characters")
    fields = {}
    for start in range(0, len(names), length):
        data = next(variable.content)[1]
        array = _open(data, order) if data else None
        if array and array.array_class in _NUMERIC_CLASSES:
            field = names[start : start + length].split(b"\0")[0].decode("ascii", "replace")
            fields[field] = _numbers(array, order)
    return fields


def _open(data: bytes, order: str) -> _Array:
    elements = _elements(data, order)
    flags, shape, name = [next(elements)[1] for _ in range(3)]
    (word,) = struct.unpack_from(order + "I", flags)
    sizes = tuple(np.frombuffer(shape, order + "i4").tolist())
    return _Array(name.decode("ascii", "replace"), word & 0xFF, sizes, elements)


def _numbers(array: _Array, order: str) -> np.ndarray:
    kind, data = next(array.content)
    values = np.frombuffer(data, order + _STORAGE[kind])
    if len(array.shape) != 2 or min(array.shape) < 0:
        raise ValueError(f"a field has the shape {array.shape}, a matrix is expected")
    return values.reshape(array.shape, order="F")


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (type, data); data of up to 4 bytes lie inside the tag, longer ones behind it, padded to 8 bytes."""
    position = 0
    while position < len(content):
        (word,) = struct.unpack_from(order + "I", content, position)
        if word >> 16:
            kind, size, start, step = word & 0xFFFF, word >> 16, position + 4, 8
        else:
            kind, start = word, position + 8
            (size,) = struct.unpack_from(order + "I", content, position + 4)
            step = 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        data = content[start : start + size]
        if len(data) != size or (word >> 16 and size > 4):
            raise ValueError(f"an element of {size} bytes is cut off")
        yield kind, data
        position += step


def _decompress(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(data, _MOST_BYTES)
    if not decompressor.eof:
        raise ValueError("a compressed variable is cut off")
    return content
