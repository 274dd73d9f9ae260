"""Whole render jobs on tiny worlds: the same bytes for any number of workers, and nothing lost by failures."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.writer import CorpusMismatch, CorpusWriter
from vosforge.render.assets.pool import Asset, AssetPool
from vosforge.render.jobs import clip
from vosforge.render.jobs import corpus as jobs
from vosforge.render.jobs.corpus import RenderJob, render_clip, render_corpus
from vosforge.render.process import child
from vosforge.render.recipes import TINY

pytestmark = pytest.mark.blender
SETTINGS = dataclasses.replace(TINY, num_frames=3)


def job(root, **changes):
    values = {"name": "tiny", "seed": 4, "num_clips": 3, "settings": SETTINGS, "assets": AssetPool()} | changes
    return RenderJob(root=str(root), clips_per_shard=2, val_every=3, **values)


def gated(**gate):
    """The tiny recipe with other numbers of the quality gate."""
    return dataclasses.replace(SETTINGS, **gate)


def opened(wanted):
    """The job, its output folder set up as a running writer does."""
    CorpusWriter(wanted.root, wanted.description()).close()
    return wanted


def shard_hashes(root):
    return {shard["name"]: shard["sha256"] for shard in json.loads((root / "index.json").read_text())["shards"]}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A corpus rendered by one local worker."""
    root = tmp_path_factory.mktemp("rendered") / "corpus"
    report = render_corpus(job(root), FarmSettings(executor="local"))
    assert (report.made, report.missing) == (3, {})
    return root


def test_a_rendered_corpus_verifies_and_reads(rendered):
    assert verify(rendered) == []
    corpus = Corpus.open(rendered)
    assert [clip.split for clip in corpus.clips] == ["train", "train", "val"]
    rgb, ids = corpus.read_frame(corpus.clips[0].key, 2)
    assert rgb.shape == (64, 96, 3) and ids.shape == (64, 96) and ids.max() >= 1
    with open(rendered / "assets.csv") as rows:
        assert {row["kind"] for row in csv.DictReader(rows)} == {"model", "texture", "background"}


def test_two_ray_workers_give_the_same_bytes_as_one_local_worker(rendered, tmp_path):
    report = render_corpus(job(tmp_path / "corpus"), FarmSettings(executor="ray", num_workers=2))
    assert report.missing == {}
    assert shard_hashes(tmp_path / "corpus") == shard_hashes(rendered)


def test_a_finished_corpus_is_left_alone(rendered):
    before = (rendered / "index.json").stat().st_mtime_ns
    report = render_corpus(job(rendered), FarmSettings(executor="local"))
    assert (report.made, report.already_there) == (0, 3)
    assert (rendered / "index.json").stat().st_mtime_ns == before


def test_another_corpus_in_the_folder_is_refused_by_its_differing_fields(rendered):
    with pytest.raises(CorpusMismatch, match="seed is 4, asked for 5"):
        render_corpus(job(rendered, seed=5), FarmSettings(executor="local"))
    slower = dataclasses.replace(SETTINGS, render=dataclasses.replace(SETTINGS.render, samples=3))
    with pytest.raises(CorpusMismatch, match=r"render.samples is 2, asked for 3"):
        render_corpus(job(rendered, settings=slower), FarmSettings(executor="local"))


def test_threads_are_no_part_of_what_a_corpus_is(rendered):
    wider = dataclasses.replace(SETTINGS, render=dataclasses.replace(SETTINGS.render, threads=2))
    assert render_corpus(job(rendered, settings=wider), FarmSettings(executor="local")).made == 0


def test_a_rejected_scene_is_redrawn_with_the_next_attempt(tmp_path):
    settings = gated(smallest_visible_area=80, smallest_visible_share=1.0)
    answer = render_clip(opened(job(tmp_path / "corpus", settings=settings)), (0, ()))
    assert answer["attempt"] == len(answer["rejections"]) >= 1 and answer["frames"] == 3
    assert {reason for reason, _ in answer["rejections"]} <= {"object unseen", "no clear path"}


def test_a_clip_whose_attempts_run_out_says_why(tmp_path):
    picky = job(tmp_path, settings=gated(smallest_visible_area=10**6), max_attempts=1)
    failure = render_clip(opened(picky), (0, ()))["failure"]
    assert failure["kind"] == "rejected"
    assert failure["message"].startswith("all 1 attempts were rejected; the last: object unseen")


def test_a_clip_over_its_time_limit_leaves_no_frames_behind(tmp_path, monkeypatch):
    long_clip = dataclasses.replace(TINY, num_frames=2000)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(child, "_scratch_folder", lambda: str(scratch))
    hasty = job(tmp_path / "corpus", settings=long_clip, clip_limit_seconds=3.0, child_retries=0)
    failure = render_clip(opened(hasty), (0, ()))["failure"]
    assert failure["message"] == "timeout: no end after 3 s; the process was killed"
    assert list(scratch.iterdir()) == [], "its unfinished frames are gone"


def test_an_asset_tried_alone_has_its_own_time_limit_and_never_a_short_one_of_the_clip(tmp_path, monkeypatch):
    limits = []

    def too_slow_as_a_clip(_arguments, log, limit, **_options):
        limits.append(limit)
        log.write_text("")
        return child.ChildResult(1 if limit == 1.5 else 3, 0.0, "", "timeout" if limit == 1.5 else "")

    monkeypatch.setattr(clip, "run_child", too_slow_as_a_clip)
    monkeypatch.setattr(clip, "read_answer", lambda _path: {"rejected": "constant frame", "detail": "rendered"})
    hasty = job(tmp_path / "corpus", clip_limit_seconds=1.5, asset_limit_seconds=40.0, child_retries=0)
    answer = render_clip(opened(hasty), (0, ()))
    assert limits[0] == 1.5 and len(limits) > 2 and set(limits[1:]) == {40.0}
    assert "poison" not in answer and answer["failure"]["kind"] == "timeout"


def test_a_node_without_the_output_folder_says_so_before_it_renders(tmp_path):
    with pytest.raises(jobs.ClipFailed, match="all nodes must share the output folder"):
        render_clip(job(tmp_path / "elsewhere"), (0, ()))


def test_a_model_that_vanished_is_a_failure_and_never_another_scene(tmp_path):
    gone = Asset(name="models/gone.obj", kind="model", path=str(tmp_path / "gone.obj"), sha256="0", textured=True)
    lost = job(tmp_path / "corpus", assets=AssetPool(assets=(gone,)), child_retries=0)
    answer = render_clip(opened(lost), (0, ()))
    assert "poison" not in answer and "models/gone.obj" in answer["failure"]["message"]


@pytest.mark.slow
def test_a_model_that_blender_cannot_load_is_found_and_passed_over(tmp_path):
    whole, broken = tmp_path / "whole.obj", tmp_path / "broken.obj"
    whole.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n")
    broken.write_text("v 0 0 0\n")
    assets = [
        Asset(name=f"models/{path.name}", kind="model", path=str(path), sha256=path.name, faces=4)
        for path in (broken, whole)
    ]
    wanted = job(tmp_path / "found", assets=AssetPool(assets=tuple(assets)), num_clips=2)
    report = render_corpus(wanted, FarmSettings(executor="local"))
    assert report.missing == {} and list(report.poisoned) == ["models/broken.obj"]
    known = job(tmp_path / "known", assets=wanted.assets, num_clips=2, poison=report.poisoned)
    assert render_corpus(known, FarmSettings(executor="local")).missing == {}
    assert shard_hashes(tmp_path / "known") == shard_hashes(tmp_path / "found")


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_that_looks_whole_and_resumes_to_the_same_bytes(rendered, tmp_path):
    root = tmp_path / "corpus"
    command = [sys.executable, "-m", "vosforge.render.cli", "run", "--recipe", "tiny", "--clips", "3", "--frames", "3"]
    command += ["--seed", "4", "--val-every", "3", "--clips-per-shard", "2", "--executor", "local", "--out", str(root)]
    for delay in (2.0, 5.0, 8.0):
        run = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert not (root / "index.json").exists() or verify(root) == []
    assert subprocess.run(command, check=False).returncode == 0
    assert shard_hashes(root) == shard_hashes(rendered)
