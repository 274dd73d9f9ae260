"""Stands in for the Blender worker in tests of the farm: paints discs, and fails where its rules say so.

Run as `python -m fake_worker`. The environment variable FAKE_WORKER_RULES names a JSON file, a list of rules
{"asset" or "key": name, "do": what, "skip": how often not yet, "times": how often then (always when left out)}.
"""

import itertools
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from vosforge.datagen.corpus.records import ids_name, image_name, metadata_name
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.datagen.writing.writer import commit_part
from vosforge.render.jobs.suspects import scene_assets
from vosforge.render.process.child import die_with_parent
from vosforge.render.scene import SceneSpec


def obey_rules(key: str, names: list[str], answer: Path) -> int:
    """Do what the first rule that fits this clip says; returns the exit code, 0 to go on."""
    path = Path(os.environ.get("FAKE_WORKER_RULES", os.devnull))
    for number, rule in enumerate(json.loads(path.read_text() or "[]")):
        if rule.get("asset", rule.get("key")) not in [*names, key]:
            continue
        if "times" in rule or "skip" in rule:
            turn = next(turn for turn in itertools.count() if _mark(path.with_name(f"rule-{number}-{turn}")))
            if not 0 <= turn - rule.get("skip", 0) < rule.get("times", math.inf):
                continue
        return act(rule, answer)
    return 0


def _mark(path: Path) -> bool:
    """Make a file; False when it is there already."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def act(rule: dict, answer: Path) -> int:
    """Do what a rule says; returns the exit code."""
    if rule["do"] == "hang":
        time.sleep(600)
    if rule["do"] == "sleep":
        time.sleep(rule["seconds"])
    if rule["do"] == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if rule["do"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if rule["do"] == "kill parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    if rule["do"] == "eat memory":
        eaten = bytearray(1 << 29)
        eaten[:: 1 << 12] = b"x" * len(eaten[:: 1 << 12])
        time.sleep(600)
    if rule["do"] == "print":
        print(rule["text"], file=sys.stderr)
        return 1
    if rule["do"] == "reject":
        answer.write_text(json.dumps({"rejected": "object unseen", "detail": "by a rule"}))
        return 3
    if rule["do"] == "fail":
        answer.write_text(json.dumps({"failure": rule["kind"], "detail": rule.get("detail", "by a rule")}))
        return 4
    return 0


def paint(spec: SceneSpec) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A disc for each object that moves to the right; colours from the render seed."""
    rng = np.random.default_rng(spec.render_seed)
    width, height = spec.render.width, spec.render.height
    rows, columns = np.mgrid[:height, :width]
    ground = rng.integers(40, 200, (height, width, 3)).astype(np.uint8)
    colours = rng.integers(50, 255, (len(spec.objects) + 1, 3))
    frames, masks = [], []
    for t in range(spec.num_frames):
        rgb, ids = ground.copy(), np.zeros((height, width), np.uint8)
        for entry in spec.objects:
            x, y = width * entry.instance_id / (len(spec.objects) + 1) + t, height / 2
            inside = (columns - x) ** 2 + (rows - y) ** 2 < (height / 8) ** 2
            rgb[inside], ids[inside] = colours[entry.instance_id], entry.instance_id
        frames.append(rgb)
        masks.append(ids)
    return frames, masks


def box_of(mask: np.ndarray) -> list[int] | None:
    """[x0, y0, x1, y1] of a mask, the maxima exclusive."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def render(order: dict, answer: Path) -> int:
    spec, key = SceneSpec.from_json(order["spec"]), order["key"]
    names = [asset.name for asset in scene_assets(spec)]
    exit_code = obey_rules(key, names, answer)
    if exit_code:
        return exit_code
    frames, masks = paint(spec)
    members = []
    for t, (rgb, ids) in enumerate(zip(frames, masks, strict=True)):
        members += [(image_name(key, t), encode_jpeg(rgb)), (ids_name(key, t), encode_palette_png(ids))]
    metadata = {
        "key": key,
        "index": spec.index,
        "attempt": spec.attempt,
        "seed": order["seed"],
        "recipe": spec.recipe,
        "num_frames": spec.num_frames,
        "width": spec.render.width,
        "height": spec.render.height,
        "objects": [
            {
                "id": entry.instance_id,
                "asset": entry.model.name,
                "area": [int((ids == entry.instance_id).sum()) for ids in masks],
                "box": [box_of(ids == entry.instance_id) for ids in masks],
            }
            for entry in spec.objects
        ],
        "camera": {
            "intrinsics": [np.eye(3).tolist()] * spec.num_frames,
            "poses": [np.eye(4).tolist()] * spec.num_frames,
        },
        "render": {},
        "rejections": order["rejections"],
        "unannotated_frames": [],
    }
    members.append((metadata_name(key), json.dumps(metadata, sort_keys=True).encode()))
    statistics = {"num_frames": spec.num_frames, "attempt": spec.attempt, "assets": sorted(names)}
    commit_part(order["root"], key, spec.index, members, statistics)
    answer.write_text(json.dumps({"frames": spec.num_frames, "seconds": 0.1, "device": "fake"}))
    return 0


def main() -> int:
    die_with_parent()
    work, request, answer = sys.argv[1:]
    order = json.loads(Path(request).read_text())
    if work == "probe":
        refused = None if order["device"] == "cpu" else f"device {order['device']!r} is not here"
        Path(answer).write_text(json.dumps({"refused": refused}))
        return 0
    if work == "act":
        return act(order, Path(answer))
    return render(order, Path(answer))


if __name__ == "__main__":
    sys.exit(main())
