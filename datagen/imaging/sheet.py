"""A labelled sheet of pictures: a title, then rows of cells, each row with its own line of text."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

MARGIN = 20
GAP = 8
NAME_HEIGHT = 24
LABEL_HEIGHT = 17
TITLE_HEIGHT = 44
TEXT_COLOUR = (32, 32, 32)
FAINT_COLOUR = (110, 110, 110)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One picture, uint8 (H, W, 3), RGB, with a few words over it."""

    picture: np.ndarray
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells beside one another, all in the shape of the first, under a line of text: `name` dark, `facts` faint."""

    name: str
    facts: str = ""
    cells: Sequence[Cell]


def draw_sheet(title: str, note: str, rows: Sequence[Row], cell_width: int = 240) -> np.ndarray:
    """Return the sheet, uint8 (H, W, 3), RGB; `note` stands at the right of the title, cells are `cell_width` wide."""
    num_columns = max((len(row.cells) for row in rows), default=1)
    heights = [
        max(1, round(cell_width * row.cells[0].picture.shape[0] / row.cells[0].picture.shape[1])) for row in rows
    ]
    width = 2 * MARGIN + num_columns * cell_width + (num_columns - 1) * GAP
    height = TITLE_HEIGHT + MARGIN + sum(cell + NAME_HEIGHT + LABEL_HEIGHT + 2 * GAP for cell in heights)
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, TITLE_HEIGHT - 8), title, TEXT_COLOUR, _font(20), anchor="ls")
    draw.text((width - MARGIN, TITLE_HEIGHT - 8), note, FAINT_COLOUR, _font(15), anchor="rs")
    top = TITLE_HEIGHT + GAP
    for row, cell_height in zip(rows, heights, strict=True):
        _draw_row(sheet, draw, row, top, (cell_width, cell_height))
        top += cell_height + NAME_HEIGHT + LABEL_HEIGHT + 2 * GAP
    return np.asarray(sheet)


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int, cell_size: tuple[int, int]) -> None:
    baseline = top + NAME_HEIGHT - 7
    draw.text((MARGIN, baseline), row.name, TEXT_COLOUR, _font(16), anchor="ls")
    behind_name = MARGIN + draw.textlength(row.name, _font(16)) + 16
    draw.text((behind_name, baseline), row.facts, FAINT_COLOUR, _font(14), anchor="ls")
    for column, cell in enumerate(row.cells):
        method = cv2.INTER_AREA if cell.picture.shape[1] > cell_size[0] else cv2.INTER_CUBIC
        left = MARGIN + column * (cell_size[0] + GAP)
        picture = cv2.resize(cell.picture, cell_size, interpolation=method)
        cell_top = top + NAME_HEIGHT + LABEL_HEIGHT
        sheet.paste(Image.fromarray(picture), (left, cell_top))
        draw.text((left, cell_top - 5), cell.label, FAINT_COLOUR, _font(12), anchor="ls")


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
