"""A tiny world for fusion: clips of squares with ids that have gaps, and soft masks that tell where they are from."""

import json

import numpy as np
from vosforge.datagen.corpus.description import CorpusDescription
from vosforge.datagen.corpus.records import clip_key, ids_name, image_name, metadata_name
from vosforge.datagen.corpus.soft_masks import Reference, soft_mask_members, split_soft_mask_name
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.datagen.imaging.passes import encode_soft_mask
from vosforge.datagen.writing.writer import CorpusWriter, commit_part

IDS = (3, 17, 200)
NUM_FRAMES = 12
SIDE = 48
COLOURS = ((220, 40, 40), (40, 200, 60), (50, 60, 230))
REFERENCES = (
    Reference(frame=0, object_ids=(3, 17), first=0, last=8),
    Reference(frame=4, object_ids=(3, 17, 200), first=0, last=11),
    Reference(frame=8, object_ids=(17, 200), first=0, last=11),
)


def frame_of(index: int, t: int, width: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Return rgb and ids of a frame: three squares that move to the right, the third only from frame 4 on."""
    rng = np.random.default_rng([3, index])
    rgb = rng.integers(90, 130, (SIDE, width, 3)).astype(np.uint8)
    ids = np.zeros((SIDE, width), np.uint8)
    for number, (object_id, colour) in enumerate(zip(IDS, COLOURS, strict=True)):
        if object_id == 200 and t < 4:
            continue
        rows, columns = slice(2 + 15 * number, 15 + 15 * number), slice(2 + 2 * t, 15 + 2 * t)
        rgb[rows, columns], ids[rows, columns] = colour, object_id
    ids[:1, :1] = 255
    return rgb, ids


def members_of(name: str, index: int, annotated=range(NUM_FRAMES), width: int = SIDE, **more) -> list:
    """Return (name, bytes) of a clip, in tar order."""
    key, members = clip_key(name, index), []
    for t in range(NUM_FRAMES):
        rgb, ids = frame_of(index, t, width)
        members.append((image_name(key, t), encode_jpeg(rgb)))
        if t in annotated:
            members.append((ids_name(key, t), encode_palette_png(ids)))
    metadata = {
        "key": key,
        "index": index,
        "num_frames": NUM_FRAMES,
        "width": width,
        "height": SIDE,
        "objects": [{"id": object_id} for object_id in IDS],
        "unannotated_frames": [t for t in range(NUM_FRAMES) if t not in annotated],
        **more,
    }
    return [*members, (metadata_name(key), json.dumps(metadata).encode())]


def write_clips(root, num_clips: int = 3, annotated_of=None, **options):
    """Write a corpus of clips without soft masks; the last clip is in "val". annotated_of: of single clips."""
    description = CorpusDescription(name="squares", recipe="squares", seed=0, num_clips=num_clips, val_every=num_clips)
    writer = CorpusWriter(root, description)
    for index in range(num_clips):
        own = {"annotated": annotated_of[index]} if index in (annotated_of or {}) else {}
        commit_part(root, clip_key("squares", index), index, members_of("squares", index, **options | own), {})
    writer.finish()
    return root


def mask_value(reference: int, object_id: int, t: int) -> int:
    """The grey value of a whole soft mask, another one for each."""
    return reference // 4 * 60 + IDS.index(object_id) * 20 + t


def write_soft_masks(
    root, num_clips: int = 2, references=REFERENCES, value=lambda _index, *mask: mask_value(*mask), width=SIDE
):
    """Write a corpus with soft masks, each of one value(index, reference, object id, t)."""
    description = CorpusDescription(name="soft", recipe="squares", seed=0, num_clips=num_clips, val_every=num_clips)
    writer = CorpusWriter(root, description)
    for index in range(num_clips):
        key = clip_key("soft", index)
        fusion = {"references": [reference.as_json() for reference in references]}
        masks = []
        for member in soft_mask_members(key, references):
            grey = value(index, *split_soft_mask_name(member))
            masks.append((member, encode_soft_mask(np.full((SIDE, width), grey / 255))))
        members = members_of("soft", index, width=width, fusion=fusion)
        commit_part(root, key, index, members, {}, {"fusion": masks})
    writer.finish()
    return root
