"""Pictures of what the methods of fusion made of frames between two interactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ....datagen.storage.files import write_whole
from ..pictures import tinted
from ..sequences import AnnotatedSequence
from .gain import FusedFrame

TILE_WIDTH = 240
TITLE_HEIGHT = 18
GAP = 4


def draw_fusion(rows: Sequence[np.ndarray], path: Path) -> Path:
    """Write a PNG of rows, each of `fusion_row`."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        Image.fromarray(np.concatenate(padded)).save(file, format="PNG")
    return path


def fusion_row(sequence: AnnotatedSequence, frame: FusedFrame) -> np.ndarray:
    """The true masks of a frame and those of every method beside one another: uint8 (H, W, 3), RGB.

    Masks are tinted, the truth is outlined in white, void is grey.
    """
    rgb, labels = sequence.read_frame(frame.t), sequence.read_labels(frame.t)
    height = round(TILE_WIDTH * rgb.shape[0] / rgb.shape[1])
    title = f"{sequence.name} {frame.t}: {frame.first}, then {frame.second}"
    cells = {title: sequence.read_truth(frame.t), **frame.ids}
    tiles = [_tile(name, tinted(rgb, ids, labels, TILE_WIDTH, height)) for name, ids in cells.items()]
    return np.concatenate(tiles, axis=1)


def _tile(name: str, picture: np.ndarray) -> np.ndarray:
    tile = np.full((TITLE_HEIGHT + picture.shape[0], TILE_WIDTH + GAP, 3), 255, np.uint8)
    tile[TITLE_HEIGHT:, :TILE_WIDTH] = picture
    drawn = Image.fromarray(tile)
    ImageDraw.Draw(drawn).text((2, 2), name, fill="black")
    return np.asarray(drawn)
