"""A tiny YouTube-VOS tree: squares that move, the second one coming into view later."""

import json
from pathlib import Path

import numpy as np
from davis_tree import picture, truth
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png

NUM_FRAMES = 11
LATE = 5
"""The frame in which object 2 is first annotated."""
ANNOTATED = (0, 5, 10)


def late_truth(t: int) -> np.ndarray:
    """Ids of frame t, uint8 (48, 64): object 1 from the start, object 2 from frame 3 on."""
    ids = truth(t, 2)
    if t < 3:
        ids[ids == 2] = 0
    return ids


def write_youtube_vos(root: Path, *, with_truth: bool = True, categories: tuple[str, str] = ("ape", "zebra")) -> Path:
    """Write train (class ape) and valid (video "late" of 11 frames, 0, 5 and 10 annotated); returns the root."""
    _write_split(root / "train", "early", {1: ("ape", ANNOTATED)}, {t: truth(t) for t in ANNOTATED})
    objects = {1: (categories[0], ANNOTATED), 2: (categories[1], (LATE, 10))}
    masks = {t: late_truth(t) for t in ANNOTATED}
    given = {0: masks[0], LATE: np.where(masks[LATE] == 2, masks[LATE], 0).astype(np.uint8)}
    _write_split(root / "valid", "late", objects, given)
    if with_truth:
        _write_masks(root / "valid/GroundTruth/late", masks)
    return root


def _write_split(split: Path, name: str, objects: dict[int, tuple[str, tuple[int, ...]]], masks: dict) -> None:
    images = split / "JPEGImages" / name
    images.mkdir(parents=True)
    for t in range(NUM_FRAMES):
        (images / f"{t:05d}.jpg").write_bytes(encode_jpeg(picture(t)))
    _write_masks(split / "Annotations" / name, masks)
    facts = {
        str(i): {"category": category, "frames": [f"{t:05d}" for t in frames]}
        for i, (category, frames) in objects.items()
    }
    (split / "meta.json").write_text(json.dumps({"videos": {name: {"objects": facts}}}))


def _write_masks(folder: Path, masks: dict[int, np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for t, ids in masks.items():
        (folder / f"{t:05d}.png").write_bytes(encode_palette_png(ids))
