"""A strip of pictures of one session: frames along the sequence with the last masks, beside the truth's outline."""

from __future__ import annotations

import numpy as np

from ....datagen.imaging.sheet import Cell, Row, draw_sheet
from ..pictures import tinted
from ..sequences import AnnotatedSequence
from .protocol import Metric
from .records import SampleRecord

NUM_SPACED_FRAMES = 4
CELL_WIDTH = 320


def session_strip(
    sequence: AnnotatedSequence, record: SampleRecord, masks: np.ndarray, metric: Metric, label: str
) -> np.ndarray:
    """Return a picture uint8 (h, w, 3): the frame that was drawn on first, the worst one, and evenly spaced others.

    masks: uint8 ids (T, H, W). Masks are tinted, the truth is outlined in white. Over each frame stand its quality and
    the rounds that drew on it.
    """
    rounds = {t: [k for k, one in enumerate(record.interactions, 1) if one.frame == t] for t in record.frames}
    spaced = np.linspace(0, len(record.frames) - 1, min(NUM_SPACED_FRAMES, len(record.frames)))
    places = {round(place) for place in spaced.tolist()}
    quality = record.interactions[-1].values(metric).mean(axis=1) if record.interactions else None
    if quality is not None:
        places |= {record.frames.index(record.interactions[0].frame), int(quality.argmin())}
    cells = []
    for place in sorted(places):
        t = record.frames[place]
        rgb = sequence.read_frame(t)
        height = round(CELL_WIDTH * rgb.shape[0] / rgb.shape[1])
        picture = tinted(rgb, masks[t], sequence.read_labels(t), CELL_WIDTH, height)
        drawn = f", drawn on in round {', '.join(map(str, rounds[t]))}" if rounds[t] else ""
        reached = "no round in time" if quality is None else f"{quality[place]:.2f}"
        cells.append(Cell(picture=picture, label=f"frame {t}: {reached}{drawn}"))
    title = f"{record.name}, {label}"
    return draw_sheet(title, "tint = mask, outline = truth", [Row(name="", cells=cells)], CELL_WIDTH)
