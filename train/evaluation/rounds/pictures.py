"""A sheet of frames that were corrected in rounds: strokes and the masks that came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.imaging.images import encode_png
from ....datagen.imaging.sheet import Cell, Row, draw_sheet
from ....datagen.simulation.robot.strokes import NO_STROKE, draw_strokes
from ....datagen.storage.files import atomic_write
from ..pictures import TINTS, tinted
from .correction import Frame, Round, score_rounds

if TYPE_CHECKING:
    from ....datagen.simulation.robot.strokes import Stroke

CELL_WIDTH = 320
_WIDE, _NARROW = 7, 3
_BACKGROUND_COLOUR = (255, 255, 255)


def draw_rounds(shown: Mapping[str, Sequence[tuple[Frame, Sequence[Round]]]], path: Path) -> Path:
    """Write `rounds_picture` as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, encode_png(rounds_picture(shown)))
    return path


def rounds_picture(shown: Mapping[str, Sequence[tuple[Frame, Sequence[Round]]]]) -> np.ndarray:
    """One row a frame and method: what was drawn, then the masks after each round; uint8 (H, W, 3), RGB.

    shown: label -> frames with their rounds. Masks are tinted, the truth is outlined in white, void is grey; strokes
    have the colour of their object, those of the background are white, with black edges all.
    """
    rows = [
        _row(label, frame, rounds)
        for pairs in zip(*shown.values(), strict=True)
        for label, (frame, rounds) in zip(shown, pairs, strict=True)
    ]
    note = "tint = mask, outline = truth; strokes in their object's colour, white for background"
    return draw_sheet("rounds of corrections", note, rows, CELL_WIDTH)


def _row(label: str, frame: Frame, rounds: Sequence[Round]) -> Row:
    rgb = frame.sequence.read_frame(frame.number)
    scores = score_rounds(frame, rounds)
    height = round(CELL_WIDTH * rgb.shape[0] / rgb.shape[1])
    truth = np.where(np.isin(frame.truth, (*frame.object_ids, IGNORE_ID)), frame.truth, 0).astype(np.uint8)
    before, cells = np.zeros_like(truth), []
    for number, one in enumerate(rounds):
        drawn = _with_strokes(tinted(rgb, before, truth, CELL_WIDTH, height), one.strokes)
        answer = tinted(rgb, one.ids, truth, CELL_WIDTH, height)
        region = np.mean([found.J[number] for found in scores])
        cells += [
            Cell(picture=drawn, label=f"round {number + 1}: {len(one.strokes)} strokes"),
            Cell(picture=answer, label=f"J {region:.2f}"),
        ]
        before = one.ids
    name = f"{frame.sequence.name}, frame {frame.sequence.frame_names[frame.number]}"
    return Row(name=name, facts=label, cells=cells)


def _with_strokes(tile: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    drawn = tile.copy()
    height, width = tile.shape[:2]
    drawn[draw_strokes(strokes, height, width, thickness=_WIDE, tip="ellipse") != NO_STROKE] = 0
    labels = draw_strokes(strokes, height, width, thickness=_NARROW)
    colours = np.where((labels == 0)[..., None], _BACKGROUND_COLOUR, TINTS[np.maximum(labels, 0)])
    lines = cv2.compare(labels, NO_STROKE, cv2.CMP_NE).view(bool)
    drawn[lines] = np.rint(colours[lines]).astype(np.uint8)
    return drawn
