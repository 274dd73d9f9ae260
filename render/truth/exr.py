"""Read the uncompressed multi-layer EXR files in which Blender stores all passes of a render at once."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

MAGIC = b"\x76\x2f\x31\x01"
_DTYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Read every channel of a single-part scan line EXR without compression.

    Returns {channel name, e.g. "ViewLayer.Depth.Z": (H, W) array of its stored type}; the arrays are views of one
    buffer. Raises ValueError for another kind of file. Source: the OpenEXR file layout document.
    """
    content = np.fromfile(path, np.uint8)
    header, start = _read_header(content[:65536].tobytes(), path)
    if header["compression"] != b"\x00":
        raise ValueError(f"{path.name}: the EXR is compressed, store it with codec NONE")
    x0, y0, x1, y1 = struct.unpack("<4i", header["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    channels = _channels(header["channels"])
    row_bytes = sum(dtype.itemsize for _, dtype in channels) * width
    start += 8 * height  # the table of line offsets; Blender stores the lines in order
    if len(content) != start + height * (row_bytes + 8):
        raise ValueError(f"{path.name}: {len(content)} bytes do not hold {height} lines of {row_bytes} bytes")
    lines = content[start:].reshape(height, row_bytes + 8)[:, 8:]
    arrays, offset = {}, 0
    for name, dtype in channels:
        size = dtype.itemsize * width
        arrays[name] = lines[:, offset : offset + size].view(dtype)
        offset += size
    return arrays


def _read_header(head: bytes, path: Path) -> tuple[dict[str, bytes], int]:
    """Attributes by name, and where the header ends."""
    if head[:4] != MAGIC or struct.unpack("<i", head[4:8])[0] & 0x1A00:
        raise ValueError(f"{path.name} is not a single-part scan line EXR")
    attributes, position = {}, 8
    while head[position]:
        name_end = head.index(b"\0", position)
        type_end = head.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", head, type_end + 1)
        value_start = type_end + 5
        attributes[head[position:name_end].decode()] = head[value_start : value_start + size]
        position = value_start + size
    return attributes, position + 1


def _channels(value: bytes) -> list[tuple[str, np.dtype]]:
    """Names and types of a channel list, in the order in which a line stores them."""
    channels, position = [], 0
    while value[position]:
        end = value.index(b"\0", position)
        (kind,) = struct.unpack_from("<i", value, end + 1)
        channels.append((value[position:end].decode(), _DTYPES[kind]))
        position = end + 17
    return channels
