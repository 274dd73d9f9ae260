"""The Blender child process: `scan` measures models, `render` turns one SceneSpec into a committed part.

Run by `vosforge.render.child.run_child`. Exit codes: 0 done, 3 rejected scene (its reason in the answer file),
anything else a failure whose traceback is the last of the output.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from ..datagen.corpus import commit_part
from ..datagen.images import encode_jpeg, encode_palette_png
from .checks import RejectedScene, check_frame, check_visibility
from .child import die_with_parent
from .scene import SceneSpec

EXIT_REJECTED = 3


def scan(request: Path, answers: Path) -> None:
    """Measure each model of a JSON list; one JSON line an answer, flushed, so that a crash costs one file."""
    from .blender.models import measure_model  # before the answer file: its absence means that Blender did not start

    with open(answers, "w") as output:
        for path in json.loads(request.read_text()):
            print(json.dumps(measure_model(path), sort_keys=True), file=output, flush=True)


def render(request: Path, answer: Path) -> int:
    """Render one clip, check it, and commit it as a part; the answer file says what happened."""
    order = json.loads(request.read_text())
    spec = SceneSpec.from_json(order["spec"])
    start = time.monotonic()
    try:
        members, statistics = render_members(spec, order["key"], order["seed"], order["checks"])
    except RejectedScene as rejection:
        answer.write_text(json.dumps({"rejected": rejection.reason, "detail": rejection.detail}))
        return EXIT_REJECTED
    seconds = time.monotonic() - start
    commit_part(Path(order["root"]), order["key"], spec.index, members, statistics)
    from .blender.session import device_in_use

    answer.write_text(json.dumps({"frames": spec.num_frames, "seconds": seconds, "device": device_in_use()}))
    return 0


def render_members(spec: SceneSpec, key: str, seed: int, checks: dict) -> tuple[list[tuple[str, bytes]], dict]:
    """Render and encode the members of a clip in shard order, and its statistics.

    checks: {"smallest_area": pixels, "smallest_share": share of frames}. Returns ([(member name, bytes)], statistics).
    Raises RejectedScene when a frame or an object's visibility fails its check.
    """
    from .blender.frames import render_frames
    from .blender.session import blender_version, device_in_use
    from .blender.surroundings import camera_metadata

    members: list[tuple[str, bytes]] = []
    areas: list[list[int]] = [[] for _ in spec.objects]
    boxes: list[list[list[int] | None]] = [[] for _ in spec.objects]
    for frame, (rgb, ids) in enumerate(render_frames(spec)):
        check_frame(rgb, frame)
        for slot, entry in enumerate(spec.objects):
            area, box = _area_and_box(ids == entry.instance_id)
            areas[slot].append(area)
            boxes[slot].append(box)
        members.append((f"{key}.{frame:05d}.jpg", encode_jpeg(rgb, quality=spec.render.jpeg_quality)))
        members.append((f"{key}.{frame:05d}.png", encode_palette_png(ids)))
    names = [entry.model.name for entry in spec.objects]
    check_visibility(areas, names, checks["smallest_area"], checks["smallest_share"])
    settings = spec.render
    metadata = {
        "key": key,
        "index": spec.index,
        "attempt": spec.attempt,
        "seed": seed,
        "recipe": spec.recipe,
        "num_frames": spec.num_frames,
        "width": settings.width,
        "height": settings.height,
        "objects": [
            {
                "id": entry.instance_id,
                "asset": entry.model.name,
                "texture": entry.texture.name if entry.texture else None,
                "area": areas[slot],
                "box": boxes[slot],
            }
            for slot, entry in enumerate(spec.objects)
        ],
        "background": spec.background.image.name,
        "camera": camera_metadata(spec),
        "render": {
            "samples": settings.samples,
            "denoise": settings.denoise,
            "device": device_in_use().split(":")[0],
            "blender": blender_version(),
            "render_seed": spec.render_seed,
        },
        "unannotated_frames": [],
    }
    members.append((f"{key}.json", json.dumps(metadata, sort_keys=True).encode()))
    statistics = {
        "num_frames": spec.num_frames,
        "width": settings.width,
        "height": settings.height,
        "attempt": spec.attempt,
        "assets": sorted({*names, *(e.texture.name for e in spec.objects if e.texture), spec.background.image.name}),
        "objects": [
            {"id": entry.instance_id, "asset": entry.model.name, "mean_area": float(np.mean(areas[slot]))}
            for slot, entry in enumerate(spec.objects)
        ],
    }
    return members, statistics


def _area_and_box(mask: np.ndarray) -> tuple[int, list[int] | None]:
    """Pixels of a mask and its box [x0, y0, x1, y1] with exclusive maxima, None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, None
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    return int(mask.sum()), box


def main() -> int:
    """Entry point of the child process."""
    die_with_parent()
    parser = argparse.ArgumentParser(prog="vosforge.render.worker")
    parser.add_argument("work", choices=("scan", "render"))
    parser.add_argument("request", type=Path)
    parser.add_argument("answer", type=Path)
    arguments = parser.parse_args()
    if arguments.work == "scan":
        scan(arguments.request, arguments.answer)
        return 0
    return render(arguments.request, arguments.answer)


if __name__ == "__main__":
    sys.exit(main())
