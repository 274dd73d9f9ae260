import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from packing import pack, packed
from video_trees import frame
from vosforge.datagen.corpus.instances import Instance, decode_instances, decode_rle, encode_rle, instance_masks
from vosforge.datagen.corpus.records import instances_name
from vosforge.datagen.corpus.shards import read_members
from vosforge.datagen.farm.task import call_task, lost_outcome
from vosforge.datagen.sources.source import ClipContent, FrameContent, SourceClip
from vosforge.datagen.writing import clip_job


@dataclass(frozen=True, kw_only=True)
class Rings:
    """Stills with 300 overlapping rings, a crowd among them."""

    name: ClassVar[str] = "rings"
    is_video: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ()
    summary: ClassVar[str] = "rings"
    licence: ClassVar[str] = "CC0"

    root: Path = Path()

    def list_clips(self) -> list[SourceClip]:
        return [SourceClip(name=f"still {number}") for number in range(5)]

    def recipe_parameters(self) -> dict[str, Any]:
        return {}

    def read(self, clip: SourceClip) -> ClipContent:
        rgb, _ = frame(0)
        return ClipContent(frames=[FrameContent(name=clip.name, picture=rgb, instances=ring_instances())])


@functools.cache
def ring_masks() -> np.ndarray:
    rows, columns = np.mgrid[:48, :64]
    radius = [4 + number % 17 for number in range(300)]
    return np.stack([abs(np.hypot(columns - 20 - k // 20, rows - 24) - radius[k]) < 2 for k in range(300)])


@functools.cache
def ring_instances() -> list[Instance]:
    return [
        Instance(id=1000 + k, rle=encode_rle(mask), category="ring", is_crowd=k == 7, details={"area": float(k)})
        for k, mask in enumerate(ring_masks())
    ]


def members_of(root, key: str) -> dict[str, bytes]:
    (tar,) = (root / "shards").glob("*.tar")
    return {name: content for name, content in read_members(tar.read_bytes()) if name.startswith(key)}


def test_overlapping_and_many_instances_are_kept_apart(tmp_path):
    pytest.importorskip("pycocotools")
    corpus = packed(Rings(), tmp_path / "out")
    metadata = corpus.metadata("rings-000003")
    assert (metadata["instance_frames"], metadata["unannotated_frames"], metadata["objects"]) == ([0], [], [])
    members = members_of(tmp_path / "out", "rings-000003")
    assert list(members) == ["rings-000003.00000.jpg", instances_name("rings-000003", 0), "rings-000003.json"]
    instances = decode_instances(members[instances_name("rings-000003", 0)])
    assert instances == ring_instances()
    np.testing.assert_array_equal(instance_masks(instances, 48, 64), ring_masks())


def test_instances_are_reduced_with_their_picture(tmp_path):
    pytest.importorskip("pycocotools")
    packed(Rings(), tmp_path / "out", short_side=24)
    members = members_of(tmp_path / "out", "rings-000000")
    instances = decode_instances(members[instances_name("rings-000000", 0)])
    np.testing.assert_array_equal(instance_masks(instances, 24, 32), ring_masks()[:, 1::2, 1::2])


def test_verify_names_instances_of_another_size(tmp_path):
    pytest.importorskip("pycocotools")
    from vosforge.datagen.verify.clip import check_clip_content

    packed(Rings(), tmp_path / "out")
    members = members_of(tmp_path / "out", "rings-000001")
    small = json.dumps({"instances": [{"id": 1, "category": "", "is_crowd": False, "rle": {"size": [2, 2]}}]})
    members[instances_name("rings-000001", 0)] = small.encode()
    manifest = json.loads((tmp_path / "out/shards/clips-00000.json").read_text())
    found = []
    check_clip_content("clips-00000.tar", manifest["clips"][1], list(members.items()), found)
    assert [problem.what for problem in found] == ["instance 1 has size [2, 2], expected [48, 64]"]


def test_one_still_that_kills_its_process_is_missing_alone(tmp_path, monkeypatch):
    pytest.importorskip("pycocotools")

    def deadly_tasks(function, tasks, _settings, shared):
        position = 0
        while position < len(tasks):
            task_id, group = tasks[position]
            position += 1
            if 2 in [index for index, _ in group]:
                yield lost_outcome(task_id, "the worker process ended with exit code 1", attempts=1)
            else:
                yield call_task(function, task_id, group, shared)

    monkeypatch.setattr(clip_job, "run_tasks", deadly_tasks)
    report = pack(Rings(), tmp_path / "out")
    assert list(report.missing) == ["rings-000002"] and report.made == 4
    assert "exit code 1" in report.missing["rings-000002"]


@pytest.mark.parametrize("counts", ["", "3", "0", "zzzz{"])
def test_an_rle_that_does_not_fill_its_picture_is_refused(counts):
    pytest.importorskip("pycocotools")
    with pytest.raises(ValueError, match="RLE"):
        decode_rle({"size": [4, 5], "counts": counts})
