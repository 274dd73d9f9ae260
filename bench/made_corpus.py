"""A corpus of clips made of moving shapes, with soft masks: something to read where no rendered corpus is at hand."""

import json
from pathlib import Path

import cv2
import numpy as np
from vosforge.datagen.corpus.description import CorpusDescription
from vosforge.datagen.corpus.records import clip_key, ids_name, image_name, metadata_name
from vosforge.datagen.corpus.soft_masks import Reference, soft_mask_name
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.datagen.imaging.passes import encode_soft_mask
from vosforge.datagen.writing.parts import commit_part
from vosforge.datagen.writing.writer import CorpusWriter

NAME, NUM_OBJECTS = "made", 2


def make_corpus(root: Path, num_clips: int = 8, num_frames: int = 24, width: int = 854, height: int = 480) -> Path:
    """Write the corpus and return its folder; frames have the texture, and so the bytes, of photographs about."""
    description = CorpusDescription(
        name=NAME, recipe="shapes", seed=0, num_clips=num_clips, clips_per_shard=4, val_every=4
    )
    writer = CorpusWriter(root, description)
    for index in range(num_clips):
        members, masks = _clip(index, num_frames, width, height)
        commit_part(root, clip_key(NAME, index), index, members, {"objects": NUM_OBJECTS}, {"fusion": masks})
        writer.assemble_ready()
    writer.finish()
    return root


def _clip(index: int, num_frames: int, width: int, height: int) -> tuple[list, list]:
    key, rng = clip_key(NAME, index), np.random.default_rng([11, index])
    ground, *textures = (_texture(rng, width, height) for _ in range(1 + NUM_OBJECTS))
    starts = rng.uniform([0.3 * width, 0.3 * height], [0.7 * width, 0.7 * height], (NUM_OBJECTS, 2))
    speeds, axes = rng.uniform(-6, 6, (NUM_OBJECTS, 2)), rng.uniform(0.1, 0.25, (NUM_OBJECTS, 2)) * height
    frames, members = [], []
    for t in range(num_frames):
        rgb, ids = ground.copy(), np.zeros((height, width), np.uint8)
        for number in range(NUM_OBJECTS):
            centre = tuple(int(value) for value in starts[number] + speeds[number] * t)
            inside = np.zeros_like(ids)
            cv2.ellipse(inside, centre, tuple(int(axis) for axis in axes[number]), 20.0 * t, 0, 360, 1, -1)
            rgb[inside > 0] = textures[number][inside > 0]
            ids[inside > 0] = number + 1
        frames.append(ids)
        members += [(image_name(key, t), encode_jpeg(rgb)), (ids_name(key, t), encode_palette_png(ids))]
    there = tuple(range(1, NUM_OBJECTS + 1))
    references = [
        Reference(frame=t, object_ids=there, first=0, last=num_frames - 1) for t in (0, num_frames // 2, num_frames - 1)
    ]
    soft = [
        (soft_mask_name(key, one.frame, number, t), encode_soft_mask(_soft(frames[t] == number, t - one.frame)))
        for one in references
        for number in one.object_ids
        for t in one.frames()
    ]
    metadata = {
        "key": key,
        "index": index,
        "attempt": 0,
        "seed": 0,
        "recipe": "shapes",
        "num_frames": num_frames,
        "width": width,
        "height": height,
        "objects": [_object(number, frames) for number in there],
        "render": {},
        "unannotated_frames": [],
        "fusion": {"references": [one.as_json() for one in references]},
    }
    return [*members, (metadata_name(key), json.dumps(metadata).encode())], soft


def _texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise of several scales, uint8 (H, W, 3)."""
    layers = [
        cv2.resize(rng.normal(0, 60, (max(2, height // cell), max(2, width // cell), 3)), (width, height)) / 2**power
        for power, cell in enumerate((160, 40, 10, 3))
    ]
    return np.clip(rng.uniform(60, 190, 3) + sum(layers), 0, 255).astype(np.uint8)


def _soft(mask: np.ndarray, distance: int) -> np.ndarray:
    """The mask, shifted the more the further it was carried, with a soft edge."""
    shifted = np.roll(mask.astype(np.float32), 2 * distance, axis=1)
    return np.clip(cv2.GaussianBlur(shifted, (0, 0), 2), 0, 1)


def _object(number: int, frames: list[np.ndarray]) -> dict:
    areas, boxes = [], []
    for ids in frames:
        rows, columns = np.nonzero(ids == number)
        areas.append(len(rows))
        boxes.append(
            [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1] if len(rows) else None
        )
    return {"id": number, "asset": f"shape-{number}", "area": areas, "box": boxes}
