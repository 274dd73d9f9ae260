"""Pictures of what the methods of fusion made of frames between two interactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ....datagen.imaging.sheet import Cell, Row, draw_sheet
from ....datagen.storage.files import write_whole
from ..pictures import tinted
from ..sequences import AnnotatedSequence
from .gain import FusedFrame

CELL_WIDTH = 240
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
    height = round(CELL_WIDTH * rgb.shape[0] / rgb.shape[1])
    masks = {"true masks": sequence.read_truth(frame.t), **frame.ids}
    cells = [Cell(picture=tinted(rgb, ids, labels, CELL_WIDTH, height), label=name) for name, ids in masks.items()]
    row = Row(name=f"interactions on {frame.first}, then {frame.second}", cells=cells)
    return draw_sheet(f"{sequence.name}, frame {frame.t}", "tint = mask, outline = truth", [row], CELL_WIDTH)
