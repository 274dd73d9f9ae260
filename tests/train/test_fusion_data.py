"""`vosforge-train fusion-data`: soft masks by id into a corpus, the same bytes however it is made."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_world import IDS, NUM_FRAMES, frame_of, write_clips
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.soft_mask_reader import SoftMaskReader
from vosforge.datagen.imaging.images import decode_jpeg
from vosforge.datagen.verify.corpus import verify
from vosforge.train.checkpoint import load_network
from vosforge.train.commands.fusion_data import FusionData, command_device, fusion_farm, fusion_settings, run
from vosforge.train.fusion_data.settings import FusionDataSettings, reference_at, reference_frames
from vosforge.train.inference.propagation import PropagationSettings, propagate, propagate_soft


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A checkpoint and a corpus of three clips, the last in "val"."""
    folder = tmp_path_factory.mktemp("places")
    checkpoint = write_tiny_checkpoint(folder / "network.pt", "propagation", seed=2)
    return {"checkpoint": checkpoint, "data": str(write_clips(folder / "clips"))}


@pytest.fixture(scope="module")
def made(places, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    assert run(command(places, out)) == 0
    return out


def command(places, out, /, **options):
    options = {"executor": "local", "separation": 4, "memory_every": (6,), "reach": 5, "clips_per_shard": 2, **options}
    return FusionData(**{**places, "out": str(out), **options})


def contents(root):
    return {path.name: path.read_bytes() for path in sorted((root / "shards").iterdir())} | {
        "index.json": (root / "index.json").read_bytes()
    }


def test_the_corpus_is_whole_and_its_frames_are_the_source_s_bytes(places, made):
    assert verify(made) == []
    source, corpus = Corpus.open(places["data"]), Corpus.open(made)
    assert [clip.split for clip in corpus.clips] == ["train", "train", "val"]
    for ours, theirs in zip(corpus.clips, source.clips, strict=True):
        assert ours.object_ids == theirs.object_ids == IDS
        for t in range(NUM_FRAMES):
            assert corpus.read_jpeg(ours.key, t) == source.read_jpeg(theirs.key, t)
            assert corpus.read_ids_png(ours.key, t) == source.read_ids_png(theirs.key, t)
        assert corpus.metadata(ours.key)["fusion"]["clip"] == theirs.key


def test_references_objects_and_ranges_are_as_asked(made):
    reader = SoftMaskReader(Corpus.open(made))
    found = [(r.frame, r.object_ids, r.first, r.last) for r in reader.references("fusion-000001")]
    # The third object appears in frame 4.
    assert found == [(0, (3, 17), 0, 5), (4, IDS, 0, 9), (8, IDS, 3, 11)]
    with pytest.raises(ValueError, match="no soft mask of object 200 in frame 3, carried from frame 0"):
        reader.read("fusion-000001", 0, 200, 3)


def test_masks_are_those_of_a_propagation_in_both_directions_by_id(places, made):
    network, _ = load_network(places["checkpoint"])
    corpus = Corpus.open(made)
    reader, clip = SoftMaskReader(corpus), corpus.clips[1]
    settings = PropagationSettings(memory_every=6)
    for times in (range(4, 10), range(4, -1, -1)):
        frames = [decode_jpeg(corpus.read_jpeg(clip.key, t)) for t in times]
        _, first_ids = frame_of(1, 4)
        for t, soft in zip(times, propagate_soft(network, frames, first_ids, settings, ids=IDS), strict=True):
            for object_id, mask in zip(IDS, soft[1:].numpy(), strict=True):
                stored = reader.read(clip.key, 4, object_id, t)
                assert np.abs(stored - mask * 255).max() <= 0.51
                if t == 4:
                    assert np.array_equal(stored == 255, first_ids == object_id)


def test_bytes_do_not_depend_on_workers_and_the_same_command_resumes(places, made, tmp_path):
    assert run(command(places, tmp_path / "out", workers=2)) == 0
    assert contents(tmp_path / "out") == contents(made)
    for name in ("index.json", "shards/clips-00001.json", "shards/clips-00001.tar"):
        (tmp_path / "out" / name).unlink()
    assert run(command(places, tmp_path / "out")) == 0
    assert contents(tmp_path / "out") == contents(made)


def test_killed_at_any_time_it_goes_on_and_ends_with_the_same_bytes(places, made, tmp_path):
    asked = command(places, tmp_path / "out")
    code = f"from pathlib import *\nfrom vosforge.train.commands.fusion_data import FusionData, run\nrun({asked!r})"
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    journal = tmp_path / "out" / "journal"
    while child.poll() is None and not list((tmp_path / "out" / "parts").glob("*.json")):
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert journal.is_dir() and not (tmp_path / "out" / "index.json").exists()
    assert run(command(places, tmp_path / "out")) == 0
    assert contents(tmp_path / "out") == contents(made) and verify(tmp_path / "out") == []


def test_several_memory_frequencies_make_each_clip_once_with_each(places, tmp_path):
    assert run(command(places, tmp_path / "out", memory_every=(3, 6), split="train", first=1, count=1)) == 0
    corpus = Corpus.open(tmp_path / "out")
    assert [corpus.metadata(clip.key)["fusion"]["memory_every"] for clip in corpus.clips] == [3, 6]
    assert {corpus.metadata(clip.key)["fusion"]["clip"] for clip in corpus.clips} == {"squares-000001"}
    masks = SoftMaskReader(corpus)
    late = [masks.read(clip.key, 4, 17, 9) for clip in corpus.clips]
    early = [masks.read(clip.key, 4, 17, 5) for clip in corpus.clips]
    assert np.array_equal(*early) and not np.array_equal(*late)


def test_frames_without_ids_are_carried_to_but_never_from(places, tmp_path):
    sparse = {**places, "data": str(write_clips(tmp_path / "sparse", annotated=(1, 5, 6)))}
    assert run(command(sparse, tmp_path / "out", reach=0)) == 0
    assert verify(tmp_path / "out") == []
    corpus = Corpus.open(tmp_path / "out")
    references = SoftMaskReader(corpus).references(corpus.clips[0].key)
    assert [(r.frame, r.first, r.last) for r in references] == [(1, 0, 11), (5, 0, 11)]
    assert corpus.annotated_frames(corpus.clips[0].key).tolist() == [1, 5, 6]


def test_references_are_the_first_annotated_frames_of_their_blocks():
    assert reference_frames(np.arange(61), 30) == [0, 30, 60]
    assert reference_frames(np.array([2, 5, 29, 61, 62]), 30) == [2, 61]


def test_objects_of_a_reference_are_the_largest_above_the_least_area():
    ids = np.zeros((40, 40), np.uint8)
    for number, area in ((9, 10), (250, 11), (4, 100), (7, 99), (255, 300)):
        ids.ravel()[np.flatnonzero(ids.ravel() == 0)[:area]] = number
    settings = FusionDataSettings(min_area=10, max_objects=2, reach=3)
    assert reference_at(1, ids, 10, settings).object_ids == (4, 7)
    assert reference_at(1, ids, 10, FusionDataSettings(min_area=10)).object_ids == (4, 7, 250)
    assert (reference_at(1, ids, 10, settings).first, reference_at(1, ids, 10, settings).last) == (0, 4)
    assert reference_at(1, ids, 10, FusionDataSettings(min_area=100)) is None


def test_hard_masks_are_the_largest_of_the_soft_ones(places):
    network, _ = load_network(places["checkpoint"])
    frames, (_, first_ids) = [frame_of(0, t)[0] for t in range(5, 9)], frame_of(0, 5)
    settings = PropagationSettings()
    soft = [one.numpy() for one in propagate_soft(network, frames, first_ids, settings, ids=IDS)]
    hard = list(propagate(network, frames, first_ids, settings))
    assert np.array_equal(hard[0], first_ids)
    for ids, probabilities in zip(hard[1:], soft[1:], strict=True):
        assert np.allclose(probabilities.sum(0), 1, atol=1e-5)
        assert np.array_equal(ids, np.array([0, *IDS], np.uint8)[probabilities.argmax(0)])


def test_certain_frames_are_remembered_beside_the_first(places):
    network, _ = load_network(places["checkpoint"])
    frames, (_, first_ids) = [frame_of(0, t)[0] for t in (4, 5)], frame_of(0, 4)

    def last(**more):
        return list(propagate_soft(network, frames, first_ids, PropagationSettings(), ids=IDS, **more))[-1]

    assert torch.equal(last(), last(certain=()))
    assert not torch.equal(last(), last(certain=[frame_of(0, 9)]))


def test_published_sets_have_names_and_options_take_their_place(places):
    bl30k = fusion_settings(FusionData(**places, out="out", preset="bl30k"))
    assert bl30k == fusion_settings(FusionData(**places, out="out")) == FusionDataSettings()
    assert (bl30k.separation, bl30k.memory_every, bl30k.reach, bl30k.min_area, bl30k.max_objects) == (
        30,
        (20,),
        90,
        100,
        5,
    )
    davis = fusion_settings(FusionData(**places, out="out", preset="davis", memory_every=(10,), top_k=0))
    assert (davis.separation, davis.memory_every, davis.reach, davis.top_k) == (5, (10,), None, None)
    assert fusion_settings(FusionData(**places, out="out", preset="davis")).memory_every == (10, 20, 30)


def test_a_clip_takes_a_gpu_where_the_network_runs_on_one(places):
    on_cluster = FusionData(**places, out="out", device="cuda", address="host:1", workers=9)
    assert command_device(on_cluster) == "cuda"
    assert fusion_farm(on_cluster, "cuda").gpus_per_task == 1 and fusion_farm(on_cluster, "cpu").gpus_per_task == 0
    shared = FusionData(**places, out="out", executor="local", gpus_per_task=0.25)
    assert fusion_farm(shared, "cuda").gpus_per_task == 0.25
    with pytest.raises(ValueError, match=r"--gpus-per-task 0\.25 without a GPU"):
        fusion_farm(shared, "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch sees no CUDA device"):
            command_device(FusionData(**places, out="out", device="cuda"))


def test_other_settings_or_another_checkpoint_are_refused_in_the_same_folder(places, made, tmp_path):
    with pytest.raises(ValueError, match=r"another corpus: reach is 5, asked for 6"):
        run(command(places, made, reach=6))
    other = write_tiny_checkpoint(tmp_path / "other.pt", "propagation", seed=3)
    with pytest.raises(ValueError, match=r"another corpus: checkpoint_sha256 is"):
        run(command({**places, "checkpoint": other}, made))


def test_a_checkpoint_that_changes_while_the_job_runs_is_named(places, tmp_path):
    from vosforge.train.fusion_data.job import FusionDataJob, make_fusion_data

    path = Path(shutil.copy(places["checkpoint"], tmp_path / "last.pt"))
    job = FusionDataJob(root=str(tmp_path / "out"), source=places["data"], checkpoint=str(path), name="soft")

    def train_on(_num_clips):
        write_tiny_checkpoint(path, "propagation", seed=4)

    report = make_fusion_data(job, command(places, tmp_path, workers=2).farm(), on_begin=train_on)
    assert report.made == 0 and "copy the checkpoint" in report.missing["soft-000000"]
    assert len(json.loads((tmp_path / "out" / "index.json").read_text())["missing"]) == 3
    with pytest.raises(ValueError, match=r"last\.pt is another file than when it was chosen"):
        make_fusion_data(replace(job, root=str(tmp_path / "later")), command(places, tmp_path).farm())
    assert not (tmp_path / "later").exists()


def test_a_clip_with_changed_bytes_is_missing_by_name_and_the_others_are_made(places, made, tmp_path):
    clips = shutil.copytree(places["data"], tmp_path / "clips")
    tar = clips / "shards" / "clips-00000.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[:700] + bytes([whole[700] ^ 1]) + whole[701:])
    damaged = {**places, "data": str(clips)}
    assert run(command(damaged, tmp_path / "out")) == 1
    [missing] = json.loads((tmp_path / "out" / "index.json").read_text())["missing"]
    assert missing["key"] == "fusion-000000" and "squares-000000.00000.jpg changed" in missing["reason"]
    tar.write_bytes(whole)
    assert run(command(damaged, tmp_path / "out")) == 0
    assert contents(tmp_path / "out") == contents(made)


def test_mistakes_are_named_before_anything_is_written(places, tmp_path):
    fusion = write_tiny_checkpoint(tmp_path / "fusion.pt", "fusion")
    for options, said in (
        ({"checkpoint": fusion}, "of kind 'fusion', expected 'propagation'"),
        ({"checkpoint": tmp_path / "none.pt"}, "no checkpoint at"),
        ({"data": str(tmp_path)}, "is not a corpus"),
        ({"first": 9}, "of 0 clips asked for .* none has objects"),
        ({"count": 0}, "count 0"),
        ({"separation": 0}, "separation is 0"),
        ({"memory_every": (4, 4)}, "several different ones"),
        ({"out": places["data"]}, "is the corpus that is read"),
        ({"workers": 0}, "--workers 0"),
    ):
        with pytest.raises(ValueError, match=said):
            run(command(places, tmp_path / "out", **options))
        assert not (tmp_path / "out").exists()


def test_data_without_masks_to_train_on_ends_in_an_error_that_names_the_way_out(places, tmp_path):
    for _ in range(2):  # also when all is there already
        with pytest.raises(
            ValueError, match=r"in none of its 3 clips two references know .*--min-area, in another folder"
        ):
            run(command(places, tmp_path / "out", min_area=5000))


def test_clips_that_training_passes_over_are_counted(places, tmp_path, capsys):
    # Clip 1 has ids in one block of frames, so one reference.
    mixed = write_clips(tmp_path / "mixed", annotated_of={1: (0, 1)})
    assert run(command({**places, "data": str(mixed)}, tmp_path / "out")) == 0
    assert "1 clips, such as fusion-000001, have no two references" in capsys.readouterr().out


@pytest.mark.slow
def test_ray_makes_the_same_bytes(places, made, tmp_path):
    pytest.importorskip("ray", reason="needs the extra farm")
    assert run(command(places, tmp_path / "out", executor="ray", workers=2)) == 0
    assert contents(tmp_path / "out") == contents(made)
