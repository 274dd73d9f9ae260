"""Pictures of the objects that took most clicks: where the clicks went, and the masks they made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.gallery.drawing import with_clicks
from ....datagen.imaging.sheet import Cell, Row, draw_sheet
from ....datagen.simulation.clicks.clicks import Click
from ..pictures import tinted
from ..report_page.parts import Strip
from .objects import ClickObject, PictureSet
from .protocol import ClicksSettings
from .scores import RunsOfMethods, badness
from .work import mask_file, read_mask

CELL_WIDTH = 300
NOTE = "tint = mask, outline = truth; clicks green on the object, red off it"


def worst_strips(
    out: Path, runs: RunsOfMethods, found: PictureSet, settings: ClicksSettings, count: int
) -> list[Strip]:
    """The objects that took the first method and strategy most clicks, with a row for each method and strategy.

    out: where the masks lie. A row shows the masks after 1, 3, 10 and the last click, with the clicks so far.
    """
    first = next(iter(runs.values()))
    strips = []
    pictures = {picture.name: picture for picture in found.pictures}
    for worst in sorted(first, key=lambda run: badness(run, settings))[:count]:
        one = next(o for o in pictures[worst.picture].objects() if o.object_id == worst.object_id)
        rows = []
        for (label, strategy), some in runs.items():
            run = next(run for run in some if run.name == worst.name)
            cells = []
            for number in run.shown_clicks:
                mask = read_mask(mask_file(out, label, strategy, run, number))
                label_of_cell = f"{num_clicks(number)}: IoU {run.ious[number - 1]:.3f}"
                cells.append(clicked_cell(one, mask, run.clicks[:number], label_of_cell))
            rows.append(Row(name=label, facts=strategy, cells=cells))
        caption = f"{num_clicks(len(worst.clicks))} of the first method, IoU {worst.ious[-1]:.3f}"
        strips.append(Strip(name=worst.name, caption=caption, picture=draw_sheet(worst.name, NOTE, rows, CELL_WIDTH)))
    return strips


def num_clicks(number: int) -> str:
    """ "1 click", "4 clicks"."""
    return f"{number} click{'s' if number != 1 else ''}"


def clicked_cell(one: ClickObject, mask: np.ndarray, clicks: Sequence[Click], label: str) -> Cell:
    """An object's picture with a mask, bool (H, W), and the clicks on it."""
    height, width = one.truth.shape
    truth = np.where(one.ignored, np.uint8(IGNORE_ID), one.truth.astype(np.uint8))
    tile = tinted(one.rgb, mask.astype(np.uint8), truth, CELL_WIDTH, round(CELL_WIDTH * height / width))
    scale = CELL_WIDTH / width
    scaled = [replace(click, x=click.x * scale, y=click.y * scale) for click in clicks]
    return Cell(picture=with_clicks(tile, scaled), label=label)
