"""Mask pictures of published data sets to ids: palette indices, or binary pictures in whatever mode they were saved."""

from pathlib import Path
from typing import Literal

import numpy as np

from ..corpus.records import IGNORE_ID
from ..imaging.images import DAVIS_PALETTE, decode_mask_picture

Coding = Literal["ids", "binary", "either"]
_PALETTE_HEAD = 22
"""Where so many colours are those of PASCAL VOC and DAVIS, so is the meaning of 255."""


def read_mask(path: Path, coding: Coding) -> np.ndarray:
    """Return the ids of a mask file, uint8 (H, W); ValueError or OSError names the file.

    "ids": palette indices or grey values are the ids, 255 is ignore. "binary": grey, RGB or 1-bit, 128 and above is
    object 1; in a palette picture every index from 1 on is object 1, but 255 is ignore beside other indices or where
    the colours are those of PASCAL VOC and DAVIS. "either": as binary, but indices of a palette picture are ids.
    """
    try:
        return decode_mask(path.read_bytes(), coding)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def decode_mask(content: bytes, coding: Coding) -> np.ndarray:
    """Return the ids of a mask picture held in memory; see `read_mask`."""
    mode, values, palette = decode_mask_picture(content)
    if coding == "ids":
        if mode not in ("P", "L") or values.dtype != np.uint8:
            raise ValueError(f"the mask picture has mode {mode}, a palette or 8-bit grey picture is expected")
        return values
    if mode == "P" and not _is_grey_picture(values, palette):
        ids = values if coding == "either" else np.where(values == IGNORE_ID, values, values > 0).astype(np.uint8)
        return ids if _has_void(values, palette) else (values > 0).astype(np.uint8)
    if mode in ("RGB", "RGBA"):
        return (values[..., :3].max(2) >= 128).astype(np.uint8)
    if mode == "LA":
        values = values[..., 0]
    elif mode == "1":
        return values.astype(np.uint8)
    elif mode.startswith("I;16") or (mode == "I" and values.max(initial=0) > 255):
        return (values >= 1 << 15).astype(np.uint8)
    elif mode not in ("L", "I", "P"):
        raise ValueError(f"the mask picture has mode {mode}, a grey, palette or RGB picture is expected")
    return (values >= 128).astype(np.uint8)


def _is_grey_picture(values: np.ndarray, palette: np.ndarray) -> bool:
    """Whether indices are their own grey values and reach the upper half: a grey picture saved with a palette.

    Where all are below, as in masks of 0 and 1 that were given no palette, they are indices.
    """
    return values.max(initial=0) >= 128 and bool((palette == np.arange(len(palette))[:, None]).all())


def _has_void(values: np.ndarray, palette: np.ndarray) -> bool:
    """Whether index 255 means void; alone in a mask, and with other colours than VOC's, it is the one object."""
    is_beside_others = bool(((values > 0) & (values < IGNORE_ID)).any())
    return is_beside_others or np.array_equal(palette[:_PALETTE_HEAD], DAVIS_PALETTE[:_PALETTE_HEAD])
