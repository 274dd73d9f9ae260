"""Tiny DAVIS trees for the tests of the evaluation: squares that move by one pixel a frame."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png

HEIGHT, WIDTH, NUM_FRAMES = 48, 64, 6


def truth(t: int, num_objects: int = 1) -> np.ndarray:
    """Ids of frame t, uint8 (48, 64): object i is a 12-pixel square in its own row, moving right."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for i in range(num_objects):
        ids[6 + 20 * i : 18 + 20 * i, 8 + t : 20 + t] = i + 1
    return ids


def picture(t: int) -> np.ndarray:
    """Frame t, uint8 (48, 64, 3): a texture whose squares move along with the ids."""
    texture = cv2.resize(
        np.random.default_rng(7).integers(0, 256, (12, 16, 3)).astype(np.uint8),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    rgb = texture.copy()
    rgb[6:18, 8 + t : 20 + t] = 255 - texture[6:18, 8:20]
    return rgb


def write_tree(
    root: Path,
    sequences: dict[str, int],
    *,
    grey: bool = False,
    year: str | None = "2017",
    level: str = "480p",
    num_frames: int = NUM_FRAMES,
) -> Path:
    """Write a tree with the sequences given (name -> number of objects) and return its root."""
    for name, num_objects in sequences.items():
        images, annotations = root / "JPEGImages" / level / name, root / "Annotations" / level / name
        images.mkdir(parents=True)
        annotations.mkdir(parents=True)
        for t in range(num_frames):
            (images / f"{t:05d}.jpg").write_bytes(encode_jpeg(picture(t)))
            ids = truth(t, num_objects)
            path = annotations / f"{t:05d}.png"
            if grey:
                Image.fromarray((ids > 0).astype(np.uint8) * 255).save(path)
            else:
                path.write_bytes(encode_palette_png(ids))
    if year:
        lists = root / "ImageSets" / year
        lists.mkdir(parents=True)
        (lists / "val.txt").write_text("\n".join(sequences) + "\n")
    return root
