"""Fixtures for all tests: the real data beside the repository, and a tiny made-up corpus."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from vosforge.datagen.corpus import CorpusDescription, CorpusWriter, commit_part
from vosforge.datagen.images import encode_jpeg, encode_palette_png
from vosforge.datagen.records import clip_key, ids_name, image_name, metadata_name

TINY_WIDTH, TINY_HEIGHT, TINY_FRAMES = 96, 64, 8


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


class TinyWorld:
    """Textured discs and rectangles that move over a textured ground; clip i has 2 or 3 objects."""

    def description(self, **changes) -> CorpusDescription:
        settings = {"num_clips": 6, "clips_per_shard": 2, "val_every": 3, "seed": 5, "code_version": "1"} | changes
        return CorpusDescription(**{"name": "tiny", "recipe": "discs", "parameters": {"speed": 2.0}} | settings)

    def clip_members(self, index: int, num_frames: int = TINY_FRAMES, size: tuple[int, int] = (96, 64)) -> list:
        """Return (name, bytes) of clip `index` of the corpus "tiny", in tar order; size is (width, height)."""
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

    def commit(self, root: Path, index: int) -> None:
        """Commit clip `index` as a part."""
        commit_part(root, clip_key("tiny", index), index, self.clip_members(index), {"objects": 2 + index % 2})

    def write(self, root: Path, order=None, **changes) -> Path:
        """Make a whole corpus, the clips in the order given, and return its folder."""
        description = self.description(**changes)
        writer = CorpusWriter(root, description)
        for index in order if order is not None else range(description.num_clips):
            self.commit(root, index)
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
