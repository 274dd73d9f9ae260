"""Broken and fuzzed model files: each costs itself alone, and the same files always get the same verdict."""

import dataclasses
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.verify.corpus import verify
from vosforge.render.assets.scan import scan_assets
from vosforge.render.jobs.corpus import RenderJob, render_corpus
from vosforge.render.recipes import TINY

pytestmark = [pytest.mark.blender, pytest.mark.slow]
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]],
    np.uint16,
)

TRAPS = (b"nan", b"-1", b"1e39", b"999999999", b"\0\0", b"\xff\xff")


def obj() -> bytes:
    lines = [f"v {x} {y} {z}" for x, y, z in CORNERS] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in FACES]
    return "\n".join([*lines, ""]).encode()


def ply() -> bytes:
    head = (
        f"ply\nformat ascii 1.0\nelement vertex {len(CORNERS)}\nproperty float x\nproperty float y\nproperty float z\n"
    )
    head += f"element face {len(FACES)}\nproperty list uchar int vertex_indices\nend_header\n"
    lines = [f"{x} {y} {z}" for x, y, z in CORNERS] + [f"3 {a} {b} {c}" for a, b, c in FACES]
    return (head + "\n".join([*lines, ""])).encode()


def stl() -> bytes:
    triangles = b"".join(struct.pack("<12fH", 0, 0, 0, *CORNERS[face].ravel(), 0) for face in FACES)
    return bytes(80) + struct.pack("<I", len(FACES)) + triangles


def glb() -> bytes:
    binary = CORNERS.tobytes() + FACES.tobytes()
    binary += bytes(-len(binary) % 4)
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": CORNERS.nbytes},
        {"buffer": 0, "byteOffset": CORNERS.nbytes, "byteLength": FACES.nbytes},
    ]
    bounds = {"min": [0.0, 0.0, 0.0], "max": [1.0, 1.0, 1.0]}
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": len(CORNERS), "type": "VEC3", **bounds},
        {"bufferView": 1, "componentType": 5123, "count": FACES.size, "type": "SCALAR"},
    ]
    content = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def mutate(rng: np.random.Generator, content: bytes) -> bytes:
    """One to eight cuts, changed bytes, repeats or insertions somewhere in the file."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        place, length = int(rng.integers(len(changed) + 1)), int(rng.integers(1, 40))
        match int(rng.integers(5)):
            case 0:
                del changed[place:]
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place : place + 1] = rng.bytes(1)
            case 3:
                changed[place:place] = changed[place : place + length]
            case _:
                changed[place:place] = TRAPS[int(rng.integers(len(TRAPS)))]
    return bytes(changed)


def verdicts(folder: Path) -> dict[str, tuple]:
    """Scan the folder without what is known from before: {name: (usable, faces)}.

    Not the reason: a header that claims a billion vertices fails in one way or another by the memory that is free.
    """
    pool = scan_assets([folder], [], [], {}, 60.0)
    return {asset.name: (not asset.reason, asset.faces) for asset in pool.assets}


def test_two_hundred_fuzzed_models_are_scanned_with_the_same_verdicts_twice(tmp_path):
    rng, folder = np.random.default_rng(17), tmp_path / "fuzzed"
    folder.mkdir()
    makers = {"obj": obj, "ply": ply, "stl": stl, "glb": glb}
    for suffix, make in makers.items():
        (folder / f"whole.{suffix}").write_bytes(make())
        for number in range(50):
            (folder / f"fuzzed-{number:02d}.{suffix}").write_bytes(mutate(rng, make()))
    first = verdicts(folder)
    assert len(first) == 204
    assert all(first[f"fuzzed/whole.{suffix}"] == (True, len(FACES)) for suffix in makers)
    assert sum(not is_usable for is_usable, _ in first.values()) >= 20, "some are beyond use"
    assert verdicts(folder) == first


def test_every_broken_file_costs_itself_alone(tmp_path, shared_data):
    folder = tmp_path / "models"
    shutil.copytree(shared_data / "assets/broken", folder)
    (folder / "whole.obj").write_bytes(obj())
    pool = scan_assets([folder], [], [], {}, 60.0)
    usable = [asset.name for asset in pool.usable("model")]
    assert "models/whole.obj" in usable
    for asset in pool.assets:
        assert asset.reason or asset.faces > 0, asset.name
    job = RenderJob(
        root=str(tmp_path / "corpus"),
        name="broken",
        seed=1,
        num_clips=2,
        settings=dataclasses.replace(TINY, num_frames=2),
        assets=pool,
    )
    report = render_corpus(job, FarmSettings(executor="local"))
    assert report.missing == {} and verify(tmp_path / "corpus") == []
    rows = (tmp_path / "corpus/assets.csv").read_text().splitlines()
    assert sum(",quarantined," in row for row in rows) == len(pool.quarantined()) > 0
