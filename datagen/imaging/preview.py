"""Pictures of a corpus to look at: a contact sheet and an overlay video."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..corpus.reader import Corpus
from ..corpus.records import ClipEntry
from .images import overlay
from .pass_colours import pass_picture

MARGIN = 20
GAP = 8
LABEL_HEIGHT = 26
TITLE_HEIGHT = 44
TEXT_COLOUR = (32, 32, 32)
FAINT_COLOUR = (110, 110, 110)


def contact_sheet(
    corpus: Corpus,
    max_clips: int = 12,
    num_columns: int = 6,
    cell_width: int = 240,
    keys: Sequence[str] | None = None,
    pass_name: str | None = None,
) -> np.ndarray:
    """Return a contact sheet, uint8 (H, W, 3): one labelled row per clip, frames spread evenly from first to last.

    Each row shows its first frame plain, then with its masks, then later frames with their masks. With more than
    `max_clips` clips, evenly chosen ones are shown; `keys` names the clips to choose from. `pass_name` shows a pass in
    colours instead of the masks (see pass_colours.py). A corpus without clips or without that pass is a ValueError.
    """
    if not corpus.clips:
        raise ValueError(f"{corpus.root} has no clips to show")
    offered = corpus.clips if keys is None else [corpus.clip(key) for key in keys]
    chosen = [offered[i] for i in _spread(len(offered), max_clips)]
    cell_heights = [max(1, round(cell_width * clip.height / clip.width)) for clip in chosen]
    width = 2 * MARGIN + num_columns * cell_width + (num_columns - 1) * GAP
    height = TITLE_HEIGHT + MARGIN + sum(cell + LABEL_HEIGHT + 2 * GAP for cell in cell_heights)
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    title = f"{corpus.index['name']}   recipe {corpus.index['recipe']}, seed {corpus.index['seed']}"
    draw.text((MARGIN, TITLE_HEIGHT - 8), title, TEXT_COLOUR, _font(20), anchor="ls")
    shown = f"{len(chosen)} of {len(corpus.clips)} clips" if len(chosen) < len(corpus.clips) else f"{len(chosen)} clips"
    draw.text((width - MARGIN, TITLE_HEIGHT - 8), shown, FAINT_COLOUR, _font(15), anchor="rs")
    top = TITLE_HEIGHT + GAP
    for clip, cell_height in zip(chosen, cell_heights, strict=True):
        _draw_row(sheet, draw, corpus, clip, top, num_columns, (cell_width, cell_height), pass_name)
        top += cell_height + LABEL_HEIGHT + 2 * GAP
    return np.asarray(sheet)


def overlay_video(
    corpus: Corpus,
    path: Path,
    key: str | None = None,
    frames_per_second: float = 24.0,
    pass_name: str | None = None,
) -> Path:
    """Write a clip with its masks as an MP4 file (MPEG-4) and return its path; without a key the first clip.

    `pass_name` shows a pass in colours instead of the masks (see pass_colours.py).

    The file gets its name when it is whole. ValueError for an unknown key or a path that does not end with .mp4.
    """
    path = Path(path)
    if path.suffix != ".mp4":
        raise ValueError(f"{path} must end with .mp4")
    if not path.parent.is_dir():
        raise ValueError(f"the folder {path.parent} does not exist; create it or give another path")
    if not corpus.clips:
        raise ValueError(f"{corpus.root} has no clips to show")
    clip = corpus.clip(key) if key else corpus.clips[0]
    temporary = path.with_name(f".{path.stem}.tmp-{os.getpid()}-{secrets.token_hex(4)}.mp4")
    # The codec wants even sides.
    size = (clip.width - clip.width % 2, clip.height - clip.height % 2)
    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), frames_per_second, size)
    try:
        if not writer.isOpened():
            raise ValueError(f"OpenCV cannot write {path}; check that the folder can be written to")
        for t in range(clip.num_frames):
            rgb = _shown_frame(corpus, clip, t, pass_name)[: size[1], : size[0]]
            writer.write(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR))
        writer.release()
        os.replace(temporary, path)
    finally:
        writer.release()
        temporary.unlink(missing_ok=True)
    return path


def _draw_row(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corpus: Corpus,
    clip: ClipEntry,
    top: int,
    num_columns: int,
    cell_size: tuple[int, int],
    pass_name: str | None,
) -> None:
    baseline = top + LABEL_HEIGHT - 9
    draw.text((MARGIN, baseline), clip.key, TEXT_COLOUR, _font(16), anchor="ls")
    facts = (
        f"{clip.split}   {len(clip.object_ids)} object{'s' if len(clip.object_ids) != 1 else ''}   "
        f"{clip.num_frames} frames   {clip.width}x{clip.height}"
    )
    draw.text(
        (MARGIN + draw.textlength(clip.key, _font(16)) + 16, baseline), facts, FAINT_COLOUR, _font(14), anchor="ls"
    )
    times = _spread(clip.num_frames, num_columns - 1)
    for column in range(min(num_columns, len(times) + 1)):
        t = times[max(0, column - 1)]
        rgb = corpus.read_rgb(clip.key, t) if column == 0 else _shown_frame(corpus, clip, t, pass_name)
        method = cv2.INTER_AREA if rgb.shape[1] > cell_size[0] else cv2.INTER_CUBIC
        cell = Image.fromarray(cv2.resize(rgb, cell_size, interpolation=method))
        left = MARGIN + column * (cell_size[0] + GAP)
        sheet.paste(cell, (left, top + LABEL_HEIGHT))
        label = f"{t}" if column else f"{t}, as rendered"
        draw.text(
            (left + 6, top + LABEL_HEIGHT + 5), label, (255, 255, 255), _font(12), stroke_width=2, stroke_fill=(0, 0, 0)
        )


def _shown_frame(corpus: Corpus, clip: ClipEntry, t: int, pass_name: str | None) -> np.ndarray:
    """The frame with its masks, or plain when it is not annotated, or a pass of it."""
    if pass_name is not None:
        return pass_picture(corpus, clip, t, pass_name)
    if corpus.is_annotated(clip.key, t):
        return overlay(*corpus.read_frame(clip.key, t))
    return corpus.read_rgb(clip.key, t)


def _spread(num_items: int, num_chosen: int) -> list[int]:
    """Return at most `num_chosen` distinct positions of 0..num_items-1, evenly spread, first and last among them."""
    if num_items <= num_chosen:
        return list(range(num_items))
    if num_chosen == 1:
        return [0]
    return [round(i * (num_items - 1) / (num_chosen - 1)) for i in range(num_chosen)]


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
