"""Pictures to look at: predictions beside the truth along a sequence, and J frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...datagen.corpus.records import IGNORE_ID
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
VOID_COLOUR = (128, 128, 128)
# The DAVIS colours at full brightness: as they are, the first ones are too dark to see on a shaded object.
TINTS = DAVIS_PALETTE * (255 / np.maximum(DAVIS_PALETTE.max(axis=1, keepdims=True), 1))
# Told apart also without colour vision (Okabe and Ito's palette).
CURVE_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0))

ReadPrediction = Callable[[str, AnnotatedSequence, int], np.ndarray]
"""(method label, sequence, frame) -> predicted ids uint8 (H, W)."""


def draw_sequence(
    sequence: AnnotatedSequence, scores: Mapping[str, SequenceScores], folders: Mapping[str, Path], out: Path
) -> list[Path]:
    """Write <out>/<sequence>.png (a strip of overlays for every method) and <out>/<sequence>-J.png (its curves).

    scores, folders: method label -> its scores and result folder. Returns both paths.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{sequence.name}.png", out / f"{sequence.name}-J.png"]
    pictures = strip(sequence, scores, reader_of_masks(folders)), curves(sequence.name, scores)
    for path, picture in zip(paths, pictures, strict=True):
        with write_whole(path) as file:
            picture.save(file, format="PNG")
    return paths


def reader_of_masks(folders: Mapping[str, Path]) -> ReadPrediction:
    """Read predictions from the result folders of methods: label -> folder."""

    def read(label: str, sequence: AnnotatedSequence, t: int) -> np.ndarray:
        path = masks_folder(folders[label], sequence.name) / f"{sequence.frame_names[t]}.png"
        return decode_ids(path.read_bytes())

    return read


def strip(
    sequence: AnnotatedSequence,
    scores: Mapping[str, SequenceScores],
    read_prediction: ReadPrediction,
    frames: Sequence[int] | None = None,
    tile_width: int = TILE_WIDTH,
) -> Image.Image:
    """One row a method: the first frame with its given mask, then predictions with the truth's outline in white.

    frames: those to show behind the first, each a scored one; five evenly spaced ones without it.
    """
    first = sequence.annotated_frames[0]
    if frames is None:
        frames = evenly_spaced(next(iter(scores.values())).frames, NUM_PREDICTED_FRAMES, without=first)
    rgb = {t: sequence.read_frame(t) for t in (first, *frames)}
    labels = {t: sequence.read_labels(t) for t in (first, *frames)}
    height = round(tile_width * rgb[first].shape[0] / rgb[first].shape[1])
    row_height = LABEL_HEIGHT + height
    size = ((tile_width + GAP) * (1 + len(frames)) - GAP, TITLE_HEIGHT + row_height * len(scores))
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 3), f"{sequence.name}: white outline = true mask, tint = prediction", fill="black", font=_font(14))
    for row, (label, found) in enumerate(scores.items()):
        top = TITLE_HEIGHT + row * row_height
        regions = dict(zip(found.frames, found.frame_means("J"), strict=True))
        for column, t in enumerate((first, *frames)):
            left = column * (tile_width + GAP)
            given = column == 0
            predicted = sequence.read_truth(t) if given else read_prediction(label, sequence, t)
            tile = tinted(rgb[t], predicted, labels[t], tile_width, height)
            picture.paste(Image.fromarray(tile), (left, top + LABEL_HEIGHT))
            quality = f"  J {regions[t]:.2f}" if np.isfinite(regions.get(t, np.nan)) else ""
            caption = f"{label}: first mask, given" if given else f"frame {sequence.frame_names[t]}{quality}"
            draw.text((left + 4, top + 2), caption, fill="black", font=_font(13))
    return picture


def evenly_spaced(frames: Sequence[int], count: int, without: int) -> list[int]:
    """At most `count` of the frames, the last among them, and not `without`."""
    kept = [t for t in frames if t != without]
    places = {round((len(kept) - 1) * (k + 1) / count) for k in range(count)} if kept else ()
    return [kept[place] for place in sorted(places)]


def tinted(rgb: np.ndarray, predicted: np.ndarray, truth: np.ndarray, width: int, height: int) -> np.ndarray:
    """A frame at the given size, predicted objects tinted in bright DAVIS colours, true ones outlined: uint8 RGB.

    Void in the truth (255), which is not scored, is grey.
    """
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    ids = cv2.resize(predicted, (width, height), interpolation=cv2.INTER_NEAREST)
    scaled = cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST)
    colours = TINTS[ids]
    void = scaled == IGNORE_ID
    colours[void] = VOID_COLOUR
    inside = ((ids > 0) | void)[..., None]
    blended = np.rint(small * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)
    tile = np.where(inside, blended, small)
    for i in np.unique(scaled[(scaled > 0) & ~void]):
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
    last = max(found.frames[-1] for found in scores.values())

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
        regions = zip(found.frames, found.frame_means("J"), strict=True)
        draw.line([point(t, value) for t, value in regions if np.isfinite(value)], fill=colour, width=2 * scale)
        draw.line([(x, 15 * scale), (x + 18 * scale, 15 * scale)], fill=colour, width=3 * scale)
        text(x + 23 * scale, 8 * scale, label, "lt", colour)
        x += 40 * scale + draw.textlength(label, font=_font(12 * scale))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _ticks(last: int) -> Sequence[int]:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, last + 1) if last / s <= 10)
    return range(0, last + 1, step)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
