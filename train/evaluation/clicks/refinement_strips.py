"""Pictures of one object of `vosforge-eval refine`: its clicked first frame, and its worst frame under clicks."""

from __future__ import annotations

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.imaging.sheet import Row, draw_sheet
from ..sequences import AnnotatedSequence
from .objects import ClickObject
from .refinement import RefinedObject
from .strips import CELL_WIDTH, NOTE, clicked_cell, num_clicks


def refinement_strip(sequence: AnnotatedSequence, refined: RefinedObject) -> np.ndarray:
    """Return a picture uint8 (h, w, 3): a row of what OSVOS was given and made, then a row for each method.

    Masks are tinted, the truth is outlined in white, clicks are green on the object and red off it.
    """
    row, first = refined.row, refined.first
    in_first, in_worst = (_object_in(sequence, t, row.object_id) for t in (0, row.worst_frame))
    label = f"frame 0 after {num_clicks(len(first.clicks))}: J {row.first_mask:.2f}"
    given = [
        clicked_cell(in_first, first.mask, first.clicks, label),
        clicked_cell(in_worst, refined.worst, (), f"its worst frame, {row.worst_frame}: J {row.worst:.2f}"),
    ]
    rows = [Row(name="OSVOS from clicks", cells=given)]
    for method, by_count in refined.corrected.items():
        cells = [
            clicked_cell(
                in_worst, found.mask, found.clicks, f"after {num_clicks(number)}: J {row.refined[method][number]:.2f}"
            )
            for number, found in by_count.items()
        ]
        rows.append(Row(name=f"frame {row.worst_frame} corrected by {method}", cells=cells))
    return draw_sheet(row.name, NOTE, rows, CELL_WIDTH)


def _object_in(sequence: AnnotatedSequence, t: int, object_id: int) -> ClickObject:
    labels = sequence.read_labels(t)
    return ClickObject(
        picture=f"{sequence.name}/{sequence.frame_names[t]}",
        object_id=object_id,
        rgb=sequence.read_frame(t),
        truth=labels == object_id,
        ignored=labels == IGNORE_ID,
    )
