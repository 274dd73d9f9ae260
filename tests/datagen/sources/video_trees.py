"""Tiny trees in the exact layouts of published video sets: discs that move over a ramp, 64x48 pixels."""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from vosforge.datagen.imaging.images import DAVIS_PALETTE, encode_jpeg

WIDTH, HEIGHT = 64, 48


def frame(t: int, objects=(1,), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its ids: object k is a disc of radius 6 that moves to the right; ids as given."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.dstack([columns * 3, rows * 4, np.full_like(rows, 40 + 10 * seed)]).astype(np.uint8)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, number in enumerate(objects):
        inside = (columns - 14 - 2 * t) ** 2 + (rows - 10 - 14 * place) ** 2 < 36
        rgb[inside], ids[inside] = (220, 60 * place, 30), number
    return rgb, ids


def write_jpeg(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_jpeg(rgb, quality=90))


def write_palette(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE.tobytes())
    image.save(path)


def write_binary(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.where(ids > 0, 255, 0).astype(np.uint8))


def write_list(path: Path, names) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def davis_2017(root: Path, sequences=None, frames: int = 3) -> Path:
    """DAVIS 2017: train tree, bear; val swan; the test-dev sequence deer has the first mask alone."""
    sequences = sequences or {"train": ["tree", "bear"], "val": ["swan"], "test-dev": ["deer"]}
    for split, names in sequences.items():
        write_list(root / f"ImageSets/2017/{split}.txt", names)
        for seed, name in enumerate(names):
            for t in range(frames):
                rgb, ids = frame(t, (1, 2), seed)
                write_jpeg(root / f"JPEGImages/480p/{name}/{t:05d}.jpg", rgb)
                if split != "test-dev" or t == 0:
                    write_palette(root / f"Annotations/480p/{name}/{t:05d}.png", ids)
    return root


def davis_2016(root: Path, first_release: bool = False) -> Path:
    """DAVIS 2016: train bear, val swan; masks of 0 and 255."""
    for split, name in (("train", "bear"), ("val", "swan")):
        lines = []
        for t in range(3):
            rgb, ids = frame(t)
            picture, mask = f"JPEGImages/480p/{name}/{t:05d}.jpg", f"Annotations/480p/{name}/{t:05d}.png"
            write_jpeg(root / picture, rgb)
            write_binary(root / mask, ids)
            lines.append(f"/{picture} /{mask} ")
        if first_release:
            write_list(root / f"ImageSets/480p/{split}.txt", lines)
        else:
            write_list(root / f"ImageSets/2016/{split}.txt", [name])
    return root


def youtube_vos(root: Path, all_frames: bool = False) -> Path:
    """YouTube-VOS: train video 0a of frames 0, 5, 10 with ids 1 and 4, 4 from frame 5 on; valid video 0b."""
    for split, name in (("train", "0a"), ("valid", "0b")):
        for t in (0, 5, 10):
            rgb, ids = frame(t, (1,) if t == 0 else (1, 4))
            write_jpeg(root / f"{split}/JPEGImages/{name}/{t:05d}.jpg", rgb)
            if split == "train" or t == 0:
                write_palette(root / f"{split}/Annotations/{name}/{t:05d}.png", ids)
        for t in range(11 if all_frames else 0):
            write_jpeg(root / f"{split}_all_frames/JPEGImages/{name}/{t:05d}.jpg", frame(t)[0])
        objects = {"1": {"category": "ape", "frames": ["00000", "00005", "00010"]}}
        if split == "train":
            objects["4"] = {"category": "sedan", "frames": ["00005", "00010"]}
        (root / f"{split}/meta.json").write_text(json.dumps({"videos": {name: {"objects": objects}}}))
    return root


def bl30k(root: Path, videos=("a00001", "a00000"), frames: int = 4) -> Path:
    """BL30K, or one of its parts: palette masks of every frame."""
    for seed, name in enumerate(videos):
        for t in range(frames):
            rgb, ids = frame(t, (1, 2), seed)
            write_jpeg(root / f"JPEGImages/{name}/{t:05d}.jpg", rgb)
            write_palette(root / f"Annotations/{name}/{t:05d}.png", ids)
    return root


def gygo(root: Path) -> Path:
    """GyGO: Train.txt with a capital T, binary masks."""
    for split, name in (("Train", "shoe_1"), ("val", "mug_2")):
        for t in range(2):
            rgb, ids = frame(t)
            write_jpeg(root / f"JPEGImages/480p/{name}/{t:05d}.jpg", rgb)
            write_binary(root / f"Annotations/480p/{name}/{t:05d}.png", ids)
        write_list(root / f"ImageSets/{split}.txt", [name])
    write_list(root / "ImageSets/trainval.txt", ["shoe_1", "mug_2"])
    return root


TREES = {"davis-2016": davis_2016, "davis-2017": davis_2017, "youtube-vos": youtube_vos, "bl30k": bl30k, "gygo": gygo}
