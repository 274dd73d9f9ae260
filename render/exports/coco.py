"""Export a corpus as COCO instances: one JSON a split, masks as run lengths, objects tracked through a video."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...datagen.corpus.reader import Corpus
from ...datagen.corpus.records import IGNORE_ID, ClipEntry
from ...datagen.imaging.images import decode_ids
from ...datagen.storage.files import write_whole
from .folder import ExportFolder, frames_of

CATEGORY = {"id": 1, "name": "object", "supercategory": "object"}
MASKS_PER_FRAME = 256
"""Ids of annotations are frame * 256 + object: the same in every export, and below 2^53 for any corpus."""

RECORDS = ".records"
"""Folder of the entries of single clips, until all are there."""


def export_coco(
    corpus: Corpus, out: Path, on_clip: Callable[[int, int], None] = lambda _done, _total: None
) -> ExportFolder:
    """Write COCO's layout; the same call goes on where an earlier one was stopped.

        images/<split>/<key>/00000.jpg ...
        annotations/instances_<split>.json

    The JSON has "videos" (id, name, width, height, length), "images" (also video_id and frame_id), "annotations"
    (compressed run lengths, area, bbox [x, y, width, height], iscrowd 0, and instance_id, the object's id within its
    video) and "categories" (one: object). Raises ValueError without pycocotools. Returns the finished folder.
    """
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError:
        raise ValueError("pycocotools is not installed here; pip install 'vosforge[coco]'") from None
    folder = ExportFolder(out, corpus, {"format": "coco"})
    if folder.is_finished():
        shutil.rmtree(out / RECORDS, ignore_errors=True)  # killed before the last line below
        return folder
    first_frames = np.cumsum([0, *(clip.num_frames for clip in corpus.clips)])
    for number, clip in enumerate(corpus.clips):
        # The annotations of a clip wait in a file of their own: those of a whole corpus would fill the memory.
        if not folder.has(_records_of(clip)):
            pictures, records = _clip(corpus, clip, int(first_frames[number]))
            lines = {name: "\n".join(map(json.dumps, entries)).encode() for name, entries in records.items()}
            folder.add({f"images/{clip.split}/{clip.key}": pictures, _records_of(clip): lines})
        on_clip(number + 1, len(corpus.clips))
    (out / "annotations").mkdir(exist_ok=True)
    for split in ("train", "val"):
        with write_whole(out / f"annotations/instances_{split}.json") as file:
            for part in _parts(corpus, out, split):
                file.write(part.encode())
    folder.finish()
    shutil.rmtree(out / RECORDS, ignore_errors=True)
    return folder


def _records_of(clip: ClipEntry) -> str:
    return f"{RECORDS}/{clip.key}"


def _clip(corpus: Corpus, clip: ClipEntry, first_frame: int) -> tuple[dict[str, bytes], dict[str, list[dict]]]:
    """The pictures of a clip, and its entries of "images" and "annotations"; ids count from 1."""
    pictures, images, annotations = {}, [], []
    for t, jpeg, png in frames_of(corpus, clip.key):
        name = f"{t:05d}.jpg"
        pictures[name] = jpeg
        image_id = first_frame + t + 1
        size = {"width": clip.width, "height": clip.height}
        place = {"file_name": f"{clip.split}/{clip.key}/{name}", "video_id": clip.index + 1, "frame_id": t}
        images.append({"id": image_id, **place, **size})
        if png is not None:
            ids = decode_ids(png)
            annotations += [
                _annotation(ids == number, image_id, clip.index + 1, int(number))
                for number in np.unique(ids)
                if number not in (0, IGNORE_ID)
            ]
    return pictures, {"images": images, "annotations": annotations}


def _annotation(mask: np.ndarray, image_id: int, video_id: int, number: int) -> dict[str, Any]:
    import pycocotools.mask

    runs = pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "id": image_id * MASKS_PER_FRAME + number,
        "image_id": image_id,
        "video_id": video_id,
        "instance_id": number,
        "category_id": CATEGORY["id"],
        "segmentation": {"size": list(mask.shape), "counts": runs["counts"].decode("ascii")},
        "area": int(mask.sum()),
        "bbox": [float(side) for side in pycocotools.mask.toBbox(runs)],
        "iscrowd": 0,
    }


def _parts(corpus: Corpus, out: Path, split: str) -> Iterator[str]:
    """The text of a split's JSON file, piece by piece."""
    clips = corpus.split(split)
    head = {
        "info": {"description": f"{corpus.index.get('name')}, {split}", "version": str(corpus.index.get("schema"))},
        "categories": [CATEGORY],
        "videos": [
            {"id": c.index + 1, "name": c.key, "width": c.width, "height": c.height, "length": c.num_frames}
            for c in clips
        ],
    }
    yield json.dumps(head)[:-1]
    for name in ("images", "annotations"):
        yield f',\n"{name}": ['
        separator = "\n"
        for clip in clips:
            for line in (out / _records_of(clip) / name).read_text().splitlines():
                yield separator + line
                separator = ",\n"
        yield "]"
    yield "}\n"
