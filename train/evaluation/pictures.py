"""Pictures to look at: predictions beside the truth along a sequence, and J frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...datagen.imaging.images import DAVIS_PALETTE, decode_ids
from ...datagen.storage.files import write_whole
from .scores import SequenceScores
from .semi_supervised import masks_folder
from .sequences import AnnotatedSequence

NUM_PREDICTED_FRAMES = 5
TILE_WIDTH = 320
GAP = 4
TITLE_HEIGHT = 22
LABEL_HEIGHT = 20
OPACITY = 0.5
TRUTH_COLOUR = (255, 255, 255)
# The DAVIS colours at full brightness: as they are, the first ones are too dark to see on a shaded object.
TINTS = DAVIS_PALETTE * (255 / np.maximum(DAVIS_PALETTE.max(axis=1, keepdims=True), 1))
# Told apart also without colour vision (Okabe and Ito's palette).
CURVE_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0))


def draw_sequence(
    sequence: AnnotatedSequence, scores: Mapping[str, SequenceScores], folders: Mapping[str, Path], out: Path
) -> list[Path]:
    """Write <out>/<sequence>.png (a strip of overlays for every method) and <out>/<sequence>-J.png (its curves).

    scores, folders: method label -> its scores and result folder. Returns both paths.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{sequence.name}.png", out / f"{sequence.name}-J.png"]
    for path, picture in zip(paths, (strip(sequence, scores, folders), curves(sequence.name, scores)), strict=True):
        with write_whole(path) as file:
            picture.save(file, format="PNG")
    return paths


def strip(
    sequence: AnnotatedSequence, scores: Mapping[str, SequenceScores], folders: Mapping[str, Path]
) -> Image.Image:
    """One row a method: the first frame with its given mask, then predictions with the truth's outline in white."""
    last = sequence.num_frames - 1
    frames = sorted({round(last * k / NUM_PREDICTED_FRAMES) for k in range(1, NUM_PREDICTED_FRAMES + 1)} - {0})
    rgb = {t: sequence.read_frame(t) for t in (0, *frames)}
    truth = {t: sequence.read_truth(t) for t in (0, *frames)}
    height = round(TILE_WIDTH * rgb[0].shape[0] / rgb[0].shape[1])
    row_height = LABEL_HEIGHT + height
    size = ((TILE_WIDTH + GAP) * (1 + len(frames)) - GAP, TITLE_HEIGHT + row_height * len(scores))
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 3), f"{sequence.name}: white outline = true mask, tint = prediction", fill="black", font=_font(14))
    for row, (label, found) in enumerate(scores.items()):
        top = TITLE_HEIGHT + row * row_height
        for column, t in enumerate((0, *frames)):
            left = column * (TILE_WIDTH + GAP)
            path = masks_folder(folders[label], sequence.name) / f"{sequence.frame_names[t]}.png"
            predicted = truth[0] if t == 0 else decode_ids(path.read_bytes())
            tile = tinted(rgb[t], predicted, truth[t], TILE_WIDTH, height)
            picture.paste(Image.fromarray(tile), (left, top + LABEL_HEIGHT))
            caption = f"{label}: first mask, given" if t == 0 else f"frame {t}  J {found.frame_means('J')[t]:.2f}"
            draw.text((left + 4, top + 2), caption, fill="black", font=_font(13))
    return picture


def tinted(rgb: np.ndarray, predicted: np.ndarray, truth: np.ndarray, width: int, height: int) -> np.ndarray:
    """A frame at the given size, predicted objects tinted in bright DAVIS colours, true ones outlined: uint8 RGB."""
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    ids = cv2.resize(predicted, (width, height), interpolation=cv2.INTER_NEAREST)
    inside = (ids > 0)[..., None]
    blended = np.rint(small * (1 - OPACITY) + TINTS[ids] * OPACITY).astype(np.uint8)
    tile = np.where(inside, blended, small)
    scaled = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST)
    for i in np.unique(scaled[scaled > 0]):
        contours, _ = cv2.findContours((scaled == i).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, contours, -1, (0, 0, 0), 2)
        cv2.drawContours(tile, contours, -1, TRUTH_COLOUR, 1)
    return tile


def curves(name: str, scores: Mapping[str, SequenceScores], width: int = 720, height: int = 300) -> Image.Image:
    """J (mean over the objects) against the frame number, one line a method."""
    # Drawn at twice the size and shrunk, which smooths the lines.
    scale, left, right, top, bottom = 2, 44, 12, 30, 34
    picture = Image.new("RGB", (width * scale, height * scale), "white")
    draw = ImageDraw.Draw(picture)
    plot_width, plot_height = width - left - right, height - top - bottom
    last = max(found.num_frames for found in scores.values()) - 1

    def point(t: float, value: float) -> tuple[float, float]:
        return (left + plot_width * t / max(last, 1)) * scale, (top + plot_height * (1 - value)) * scale

    def text(x: float, y: float, words: str, anchor: str, colour="black") -> None:
        draw.text((x, y), words, fill=colour, font=_font(12 * scale), anchor=anchor)

    for value in (0, 0.25, 0.5, 0.75, 1):
        draw.line([point(0, value), point(last, value)], fill=(221, 221, 221), width=scale)
        x, y = point(0, value)
        text(x - 6 * scale, y, f"{value:g}", "rm")
    for t in _ticks(last):
        x, y = point(t, 0)
        text(x, y + 6 * scale, str(t), "mt")
    x, y = point(last, 0)
    text(x, y + 19 * scale, "frame", "rt")
    text(8 * scale, 8 * scale, f"J  {name}", "lt")
    x = point(0, 1)[0] + draw.textlength(f"J  {name}", font=_font(12 * scale))
    for index, (label, found) in enumerate(scores.items()):
        colour = CURVE_COLOURS[index % len(CURVE_COLOURS)]
        draw.line([point(t, value) for t, value in enumerate(found.frame_means("J"))], fill=colour, width=2 * scale)
        draw.line([(x, 15 * scale), (x + 18 * scale, 15 * scale)], fill=colour, width=3 * scale)
        text(x + 23 * scale, 8 * scale, label, "lt", colour)
        x += 40 * scale + draw.textlength(label, font=_font(12 * scale))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _ticks(last: int) -> Sequence[int]:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, last + 1) if last / s <= 10)
    return range(0, last + 1, step)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
