"""Fixtures for all tests: one thread, the real data beside the repository, a tiny made-up corpus, and an S3 server."""

import functools
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from vosforge.datagen.corpus.records import clip_key, ids_name, image_name, metadata_name
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.datagen.imaging.pass_table import split_pass_member
from vosforge.datagen.imaging.passes import (
    encode_amodal,
    encode_coordinates,
    encode_depth,
    encode_flow,
    encode_normals,
    encode_tracks,
    expected_pass_members,
)
from vosforge.datagen.writing.writer import CorpusDescription, CorpusWriter, commit_part

TINY_WIDTH, TINY_HEIGHT, TINY_FRAMES = 96, 64, 8


_exit_status = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how the session ended, for `pytest_unconfigure`."""
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End a process that imported bpy at once: its own exit hangs now and then, after everything is done."""
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on several threads wait for one another, above all beside other work on the machine."""
    torch = sys.modules.get("torch")
    if torch is None:  # a test without networks, which need not wait for its import
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, where there is one."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the real data is not here: {path} does not exist")
    return path


@pytest.fixture(scope="session")
def tiny_world():
    """The makers of the tiny world as a module-like object: description(...), clip_members(key, index), write(root)."""
    return TinyWorld()


@pytest.fixture
def tiny_corpus(tmp_path_factory) -> Path:
    """The folder of a finished corpus: 6 clips of 8 frames, 96x64, clips 2 and 5 in "val"; free to be damaged."""
    return TinyWorld().write(tmp_path_factory.mktemp("tiny") / "corpus")


@pytest.fixture
def s3_server(s3_process, monkeypatch):
    """A real HTTP server that speaks S3; `url_for("bucket", "prefix")` makes the bucket and returns its s3:// URL.

    The environment of this process and of its children points to the server. Buckets last for the whole session, so
    give each test a prefix of its own. `refuse(...)` makes requests fail; the server serves again after the test.
    """
    for name, value in s3_process.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    yield s3_process
    s3_process.serve()


@pytest.fixture(scope="session")
def s3_process():
    pytest.importorskip("s3fs", reason="needs the extra s3")
    pytest.importorskip("moto.server", reason="needs moto[server], of the extra dev")
    from moto_s3 import S3Server

    server = S3Server()
    server.start()
    yield server
    server.stop()


class TinyWorld:
    """Textured discs and rectangles that move over a textured ground; clip i has 2 or 3 objects."""

    def description(self, **changes) -> CorpusDescription:
        settings = {"num_clips": 6, "clips_per_shard": 2, "val_every": 3, "seed": 5, "code_version": "1"} | changes
        return CorpusDescription(**{"name": "tiny", "recipe": "discs", "parameters": {"speed": 2.0}} | settings)

    def clip_members(self, index: int, num_frames: int = TINY_FRAMES, size: tuple[int, int] = (96, 64)) -> list:
        """Return (name, bytes) of clip `index` of the corpus "tiny", in tar order; size is (width, height)."""
        return list(self._clip_members(index, num_frames, size))

    @functools.cache  # noqa: B019 (the worlds are few, and last as long as the tests)
    def _clip_members(self, index: int, num_frames: int, size: tuple[int, int]) -> list:
        width, height = size
        key, rng = clip_key("tiny", index), np.random.default_rng([41, index])
        ground = _texture(rng, height, width)
        objects = [_make_object(rng, width, height) for _ in range(2 + index % 2)]
        members, areas, boxes = [], [[] for _ in objects], [[] for _ in objects]
        for t in range(num_frames):
            rgb, ids = ground.copy(), np.zeros((height, width), np.uint8)
            for number, thing in enumerate(objects, start=1):
                inside = thing["inside"](t)
                rgb[inside] = thing["texture"][inside]
                ids[inside] = number
            for number in range(1, len(objects) + 1):
                rows, columns = np.nonzero(ids == number)
                areas[number - 1].append(len(rows))
                box = (
                    [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
                    if len(rows)
                    else None
                )
                boxes[number - 1].append(box)
            members += [(image_name(key, t), encode_jpeg(rgb)), (ids_name(key, t), encode_palette_png(ids))]
        metadata = {
            "key": key,
            "index": index,
            "attempt": 0,
            "seed": 5,
            "recipe": "discs",
            "num_frames": num_frames,
            "width": width,
            "height": height,
            "objects": [
                {"id": number, "asset": f"disc-{number}", "area": areas[number - 1], "box": boxes[number - 1]}
                for number in range(1, len(objects) + 1)
            ],
            "camera": {"intrinsics": np.eye(3).tolist(), "poses": [np.eye(4).tolist()] * num_frames},
            "render": {},
            "unannotated_frames": [],
        }
        return [*members, (metadata_name(key), json.dumps(metadata).encode())]

    def clip_passes(self, index: int, names, num_frames: int = TINY_FRAMES) -> dict[str, list[tuple[str, bytes]]]:
        """Return name -> members of some passes of clip `index`, all of them made of plain ramps."""
        return {name: list(self._clip_pass(index, name, num_frames)) for name in names}

    @functools.cache  # noqa: B019
    def _clip_pass(self, index: int, name: str, num_frames: int) -> list[tuple[str, bytes]]:
        key, rng = clip_key("tiny", index), np.random.default_rng([43, index])
        rows, columns = np.mgrid[:TINY_HEIGHT, :TINY_WIDTH].astype(np.float32)
        ramp, valid = np.stack([columns, rows], axis=-1), columns > 10
        object_ids = list(range(1, 3 + index % 2))
        normals = np.dstack([columns / TINY_WIDTH, rows / TINY_HEIGHT, np.ones_like(rows)])

        def encode(suffix: str, t: int) -> bytes:
            if suffix == "depth.png":
                return encode_depth((1 + index + t + 0.01 * rows) * valid)
            if suffix == "normals.png":
                return encode_normals(normals / np.linalg.norm(normals, axis=-1, keepdims=True))
            if suffix == "amodal.png":
                masks = [(abs(columns - 30 - 9 * number) < 12) & (rows > 2 * t) for number in object_ids]
                return encode_amodal(np.stack(masks), object_ids)
            if suffix == "coordinates.png":
                return encode_coordinates(normals * 0.3, valid)
            if suffix == "tracks.npy":
                return encode_tracks(rng.uniform(0, 50, (4, num_frames, 4)).astype(np.float32))
            return encode_flow((ramp - 40) * (0.1 if suffix == "flow_forward.png" else -0.1) + t, valid)

        places = [(member, *split_pass_member(member)) for member in expected_pass_members(name, key, num_frames)]
        return [(member, encode(suffix, t or 0)) for member, t, suffix in places]

    def commit(self, root: Path | str, index: int, passes=()) -> None:
        """Commit clip `index` as a part, with these passes."""
        members = self.clip_members(index)
        if "tracks" in passes:
            name, content = members.pop()
            members.append((name, json.dumps(json.loads(content) | {"tracks": {"object_id": [1, 1, 2, 2]}}).encode()))
        statistics = {"objects": 2 + index % 2}
        commit_part(root, clip_key("tiny", index), index, members, statistics, self.clip_passes(index, passes))

    def write(self, root: Path | str, order=None, passes=(), **changes) -> Path | str:
        """Make a whole corpus, the clips in the order given, and return its folder or URL."""
        description = self.description(**changes)
        writer = CorpusWriter(root, description)
        for index in order if order is not None else range(description.num_clips):
            self.commit(root, index, passes)
            writer.assemble_ready()
        writer.write_assets(
            [{"asset": "disc-1", "kind": "model", "status": "used", "licence": "CC0", "source": "tests"}]
        )
        writer.finish()
        return root


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    coarse = rng.integers(30, 226, (6, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _make_object(rng: np.random.Generator, width: int, height: int) -> dict:
    texture = _texture(rng, height, width)
    start, velocity = rng.uniform([20, 15], [width - 20, height - 15]), rng.uniform(-2, 2, 2)
    radius, is_disc = rng.uniform(10, 15), rng.random() < 0.5
    rows, columns = np.mgrid[:height, :width]

    def inside(t: int) -> np.ndarray:
        x, y = start + velocity * t
        if is_disc:
            return (columns - x) ** 2 + (rows - y) ** 2 < radius**2
        return (abs(columns - x) < radius) & (abs(rows - y) < radius * 0.7)

    return {"texture": texture, "inside": inside}
