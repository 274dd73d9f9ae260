"""Pictures of a corpus to look at: a contact sheet and an overlay video."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..corpus.reader import Corpus
from ..corpus.records import ClipEntry
from .images import overlay
from .pass_colours import pass_picture
from .sheet import Cell, Row, draw_sheet

_INSTANCE_COLOURS = 20
"""Colours of the DAVIS palette before it turns grey."""


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
    title = f"{corpus.index['name']}   recipe {corpus.index['recipe']}, seed {corpus.index['seed']}"
    shown = f"{len(chosen)} of {len(corpus.clips)} clips" if len(chosen) < len(corpus.clips) else f"{len(chosen)} clips"
    rows = [_clip_row(corpus, clip, num_columns, pass_name) for clip in chosen]
    return draw_sheet(title, shown, rows, cell_width)


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


def _clip_row(corpus: Corpus, clip: ClipEntry, num_columns: int, pass_name: str | None) -> Row:
    metadata = corpus.metadata(clip.key)
    facts = [clip.split, _counted(len(clip.object_ids), "object"), _counted(clip.num_frames, "frame")]
    facts.append(f"{clip.width}x{clip.height}")
    original = metadata.get("source", {}).get("clip")
    with_instances = set(metadata.get("instance_frames", ()))
    masked = sorted({int(t) for t in corpus.annotated_frames(clip.key)} | with_instances)
    # Of a clip with few annotations those are shown, and what lies between them is not.
    shown = masked if masked and pass_name is None else range(clip.num_frames)
    times = [shown[i] for i in _spread(len(shown), num_columns - 1)]
    cells = [Cell(picture=corpus.read_rgb(clip.key, times[0]), label=f"{times[0]}, without masks")]
    for t in times:
        label = f"{t}" if pass_name or t in masked else f"{t}, not annotated"
        cells.append(Cell(picture=_shown_frame(corpus, clip, t, pass_name, t in with_instances), label=label))
    return Row(name=clip.key, facts="   ".join([*([original] if original else []), *facts]), cells=cells)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown_frame(
    corpus: Corpus, clip: ClipEntry, t: int, pass_name: str | None, has_instances: bool = False
) -> np.ndarray:
    """The frame with its masks, or plain when it is not annotated, or a pass of it."""
    if pass_name is not None:
        return pass_picture(corpus, clip, t, pass_name)
    if has_instances:
        masks, _ = corpus.read_instances(clip.key, t)
        return _with_instances(corpus.read_rgb(clip.key, t), masks)
    if corpus.is_annotated(clip.key, t):
        return overlay(*corpus.read_frame(clip.key, t))
    return corpus.read_rgb(clip.key, t)


def _with_instances(rgb: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The picture with instances, bool (N, H, W), which may overlap: the smaller lie over the larger."""
    ids = np.zeros(rgb.shape[:2], np.uint8)
    for number in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
        ids[masks[number]] = 1 + number % _INSTANCE_COLOURS
    return overlay(rgb, ids)


def _spread(num_items: int, num_chosen: int) -> list[int]:
    """Return at most `num_chosen` distinct positions of 0..num_items-1, evenly spread, first and last among them."""
    if num_items <= num_chosen:
        return list(range(num_items))
    if num_chosen == 1:
        return [0]
    return [round(i * (num_items - 1) / (num_chosen - 1)) for i in range(num_chosen)]
