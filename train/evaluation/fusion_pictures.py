"""A sheet of what the methods of fusion made of frames between two interactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ...datagen.imaging.images import overlay
from ...datagen.storage.files import write_whole
from .fusion_gain import FusedFrame
from .sequences import AnnotatedSequence

TILE_WIDTH = 240
TITLE_HEIGHT = 18
GAP = 4


def draw_fusion(shown: Sequence[tuple[AnnotatedSequence, FusedFrame]], path: Path) -> Path:
    """Write a PNG with a row for each frame: its true masks, then those of every method."""
    rows = []
    for sequence, frame in shown:
        rgb = sequence.read_frame(frame.t)
        title = f"{sequence.name} {frame.t}: {frame.first}, then {frame.second}"
        cells = {title: sequence.read_truth(frame.t), **frame.ids}
        rows.append(np.concatenate([_tile(name, overlay(rgb, ids)) for name, ids in cells.items()], axis=1))
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file:
        Image.fromarray(np.concatenate(padded)).save(file, format="PNG")
    return path


def _tile(name: str, picture: np.ndarray) -> np.ndarray:
    height = round(TILE_WIDTH * picture.shape[0] / picture.shape[1])
    tile = Image.new("RGB", (TILE_WIDTH + GAP, TITLE_HEIGHT + height), "white")
    tile.paste(
        Image.fromarray(cv2.resize(picture, (TILE_WIDTH, height), interpolation=cv2.INTER_AREA)), (0, TITLE_HEIGHT)
    )
    ImageDraw.Draw(tile).text((2, 2), name, fill="black")
    return np.asarray(tile)
