"""Pictures of the objects that took most clicks: where the clicks went, and the masks they made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ....datagen.simulation.clicks.clicks import Click
from ..pictures import tinted
from ..report_page.parts import Strip
from .objects import ClickObject, PictureSet
from .protocol import SHOWN_CLICKS, ClickRun, ClicksSettings
from .scores import RunsOfMethods, badness
from .work import mask_file, read_mask

TILE_WIDTH = 300
GAP = 4
_GREY = 128
_POSITIVE, _NEGATIVE, _EDGE = (60, 230, 90), (255, 60, 60), (0, 0, 0)


def worst_strips(
    out: Path, runs: RunsOfMethods, found: PictureSet, settings: ClicksSettings, count: int
) -> list[Strip]:
    """The objects that took the first method and strategy most clicks, with a row for each method and strategy.

    out: where the masks lie. A row shows the masks after 1, 3, 10 and the last click, with the clicks so far.
    """
    first = next(iter(runs.values()))
    strips = []
    # All strips have one width, so that the page shows them at one scale.
    width = (TILE_WIDTH + GAP) * (1 + sum(number < settings.max_clicks for number in SHOWN_CLICKS))
    pictures = {picture.name: picture for picture in found.pictures}
    for worst in sorted(first, key=lambda run: badness(run, settings))[:count]:
        one = next(o for o in pictures[worst.picture].objects() if o.object_id == worst.object_id)
        rows, captions = [], []
        for (label, strategy), some in runs.items():
            run = next(run for run in some if run.name == worst.name)
            numbers = run.shown_clicks
            masks = [read_mask(mask_file(out, label, strategy, run, number)) for number in numbers]
            rows.append(_row(one, run, numbers, masks))
            ious = ", ".join(f"{number}: {run.ious[number - 1]:.3f}" for number in numbers)
            captions.append(f"{label}, {strategy}: IoU after clicks {ious}")
        padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=_GREY) for row in rows]
        strips.append(Strip(name=worst.name, caption="; ".join(captions), picture=np.concatenate(padded)))
    return strips


def _row(one: ClickObject, run: ClickRun, numbers: Sequence[int], masks: Sequence[np.ndarray]) -> np.ndarray:
    height = round(TILE_WIDTH * one.truth.shape[0] / one.truth.shape[1])
    truth = np.where(one.ignored, np.uint8(255), one.truth.astype(np.uint8))
    tiles = []
    for number, mask in zip(numbers, masks, strict=True):
        tile = tinted(one.rgb, mask.astype(np.uint8), truth, TILE_WIDTH, height)
        tile = with_clicks(tile, run.clicks[:number], TILE_WIDTH / one.truth.shape[1])
        tiles.append(np.pad(tile, ((0, 0), (0, GAP), (0, 0)), constant_values=_GREY))
    return np.concatenate(tiles, axis=1)


def with_clicks(tile: np.ndarray, clicks: Sequence[Click], scale: float) -> np.ndarray:
    """A copy of the tile with a dot on every click: green on the object, red off it, the last one larger."""
    drawn = np.ascontiguousarray(tile.copy())
    for number, click in enumerate(clicks, start=1):
        centre = (round(click.x * scale), round(click.y * scale))
        radius = 5 if number == len(clicks) else 3
        cv2.circle(drawn, centre, radius + 1, _EDGE, -1, cv2.LINE_AA)
        cv2.circle(drawn, centre, radius, _POSITIVE if click.positive else _NEGATIVE, -1, cv2.LINE_AA)
    return drawn
