"""Export a corpus as DAVIS 2017 or YouTube-VOS, as the public loaders of both expect it.

Pictures are the stored JPEG bytes under integer names from 00000.jpg; masks are 8-bit palette PNGs in DAVIS colours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...datagen.corpus.reader import Corpus
from ...datagen.corpus.records import IGNORE_ID
from ...datagen.imaging.images import decode_ids, encode_palette_png
from ...datagen.storage.files import atomic_write, atomic_write_json
from .folder import ExportFolder, frames_of

SPLITS = ("train", "val")


def export_davis(
    corpus: Corpus,
    out: Path,
    resolution: str = "480p",
    on_clip: Callable[[int, int], None] = lambda _done, _total: None,
) -> ExportFolder:
    """Write DAVIS 2017's layout; the same call goes on where an earlier one was stopped.

        JPEGImages/<resolution>/<key>/00000.jpg ...
        Annotations/<resolution>/<key>/00000.png ...
        ImageSets/2017/train.txt, val.txt

    resolution: the folder name that loaders ask for, 480p or Full-Resolution; pictures keep their size. Pixels to be
    ignored (255) become background, which is how these loaders read a mask. Returns the finished folder.
    """
    folder = ExportFolder(out, corpus, {"format": "davis", "resolution": resolution})
    if folder.is_finished():
        return folder
    for number, clip in enumerate(corpus.clips):
        images, masks = f"JPEGImages/{resolution}/{clip.key}", f"Annotations/{resolution}/{clip.key}"
        if not folder.has(masks):
            pictures, annotations = _frames(corpus, clip.key)
            folder.add({images: pictures, masks: annotations})
        on_clip(number + 1, len(corpus.clips))
    lists = out / "ImageSets/2017"
    lists.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        keys = [clip.key for clip in corpus.split(split)]
        atomic_write(lists / f"{split}.txt", "".join(f"{key}\n" for key in keys).encode())
    folder.finish()
    return folder


def export_youtube_vos(
    corpus: Corpus, out: Path, on_clip: Callable[[int, int], None] = lambda _done, _total: None
) -> ExportFolder:
    """Write YouTube-VOS's layout; the same call goes on where an earlier one was stopped.

        train/JPEGImages/<key>/00000.jpg ...   train/Annotations/<key>/00000.png ...   train/meta.json
        valid/JPEGImages/...                   valid/Annotations/...                   valid/meta.json
        valid/GroundTruth/<key>/00000.png ...

    As in the published valid split, valid/Annotations holds a mask for the frames in which objects come into view, of
    these objects alone: loaders take whatever lies there as given. The masks of all frames are in GroundTruth.
    meta.json: {"videos": {key: {"objects": {"1": {"category": "object", "frames": ["00000", ...]}}}}}, an object's
    frames being those that show it, its category the one that a packed data set gave it. Returns the finished folder.
    """
    folder = ExportFolder(out, corpus, {"format": "youtube-vos"})
    if folder.is_finished():
        return folder
    videos: dict[str, dict[str, Any]] = {"train": {}, "valid": {}}
    for number, clip in enumerate(corpus.clips):
        place = "valid" if clip.split == "val" else "train"
        shown, categories = _shown_frames(corpus, clip.key), _categories(corpus, clip.key)
        videos[place][clip.key] = {
            "objects": {
                str(object_id): {"category": categories[object_id], "frames": [f"{t:05d}" for t in frames]}
                for object_id, frames in shown.items()
            }
        }
        if not folder.has(f"{place}/Annotations/{clip.key}"):
            pictures, annotations = _frames(corpus, clip.key)
            folders = {f"{place}/JPEGImages/{clip.key}": pictures}
            if place == "valid":
                folders[f"valid/GroundTruth/{clip.key}"] = annotations
                annotations = _first_sights(annotations, shown)
            folder.add({**folders, f"{place}/Annotations/{clip.key}": annotations})
        on_clip(number + 1, len(corpus.clips))
    for place, entries in videos.items():
        (out / place).mkdir(exist_ok=True)
        atomic_write_json(out / place / "meta.json", {"videos": entries})
    folder.finish()
    return folder


def _frames(corpus: Corpus, key: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """({"00000.jpg": bytes}, {"00000.png": bytes}) of a clip."""
    pictures, masks = {}, {}
    for t, jpeg, png in frames_of(corpus, key):
        pictures[f"{t:05d}.jpg"] = jpeg
        if png is not None:
            masks[f"{t:05d}.png"] = _in_davis_colours(png)
    return pictures, masks


def _in_davis_colours(png: bytes) -> bytes:
    ids = decode_ids(png)
    # Encoded anew: stored masks may have come from elsewhere, with another palette.
    return encode_palette_png(np.where(ids == IGNORE_ID, 0, ids).astype(np.uint8))


def _shown_frames(corpus: Corpus, key: str) -> dict[int, list[int]]:
    """{object id: frames that show it}, without objects that no frame shows."""
    metadata = corpus.metadata(key)
    unannotated = set(metadata.get("unannotated_frames", ()))
    shown = {
        entry["id"]: [t for t, area in enumerate(entry["area"]) if area and t not in unannotated]
        for entry in metadata["objects"]
    }
    return {number: frames for number, frames in sorted(shown.items()) if frames}


def _categories(corpus: Corpus, key: str) -> dict[int, str]:
    """{object id: category}; rendered objects are all "object"."""
    return {entry["id"]: entry.get("category") or "object" for entry in corpus.metadata(key)["objects"]}


def _first_sights(masks: dict[str, bytes], shown: dict[int, list[int]]) -> dict[str, bytes]:
    """The masks of the frames in which objects are first seen, of these objects alone."""
    first: dict[str, list[int]] = {}
    for number, frames in shown.items():
        first.setdefault(f"{frames[0]:05d}.png", []).append(number)
    chosen = {}
    for name, numbers in sorted(first.items()):
        ids = decode_ids(masks[name])
        chosen[name] = encode_palette_png(np.where(np.isin(ids, numbers), ids, 0).astype(np.uint8))
    return chosen
