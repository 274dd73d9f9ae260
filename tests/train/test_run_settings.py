"""What a run is told besides its stage: validators, checkpoints of before, micro-batches, companion, device."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_checkpoints import write_tiny_checkpoint
from trained_runs import endless, requests, silent, stopped_at
from vosforge.datagen.storage.files import sha256_of_file
from vosforge.train import run as run_module
from vosforge.train.checkpoint import load_network, read_checkpoint
from vosforge.train.log import read_metrics
from vosforge.train.request import RunRequest
from vosforge.train.run import compile_parts, run
from vosforge.train.run_checkpoints import RunMemory
from vosforge.train.run_folder import RunMismatch
from vosforge.train.run_identity import run_identity, with_defaults
from vosforge.train.validation.validator import Validation


@pytest.fixture
def request_for(tiny_stage, tiny_corpus, tmp_path):
    return requests(tiny_stage, tiny_corpus, tmp_path, log_every=3, checkpoint_every=3, picture_every=0)


class Scored:
    """A validator whose score at each step is given; it notes at which steps it was asked."""

    name = "scored"

    def __init__(self, scores, measured=None):
        self.scores, self.asked, self.measured = scores, [], measured or {}

    def __call__(self, network, step):
        assert not network.training
        self.asked.append(step)
        return Validation(
            metrics={"score": self.scores[step]},
            pictures={"scored": np.zeros((8, 8, 3), np.uint8)},
            score=self.scores[step],
            measured=self.measured,
        )


def test_best_checkpoint_is_that_of_the_highest_score_also_after_a_resume(request_for, squares):
    scores = {2: 0.4, 4: 0.7, 6: 0.5, 8: 0.6}
    request = request_for(validate_every=2, checkpoint_every=1)
    first, second = Scored(scores), Scored(scores)
    run(request, report=stopped_at(5), announce=silent, batches=endless(squares), validators=[first])
    result = run(request, report=silent, announce=silent, batches=endless(squares), validators=[second])
    assert (first.asked, second.asked) == ([2, 4], [6, 8])
    best = read_checkpoint(result.checkpoint.with_name("best.pt"))
    assert best["step"] == 4 and "optimiser" not in best
    assert read_checkpoint(result.checkpoint)["window"]["best"] == {"score": 0.7, "step": 4}
    assert load_network(result.checkpoint.with_name("best.pt"))[1]["step"] == 4
    folder = result.checkpoint.parents[1]
    scored = {record["step"]: record["score"] for record in read_metrics(folder / "metrics.jsonl") if "score" in record}
    assert scored == scores
    assert len(list((folder / "validation" / "scored").glob("*.png"))) == 4


def test_a_best_score_of_another_measure_is_not_compared_with(request_for, squares):
    settings = {"batches": endless(squares), "announce": silent}
    request = request_for(validate_every=2, checkpoint_every=1)
    measured = {"metric": "J&F", "place": "/a", "split": "val", "digest": "1" * 64, "max_sequences": 8}
    first = Scored({2: 0.8, 4: 0.7}, measured)
    run(request, report=stopped_at(5), **settings, validators=[first])
    heard, second = [], Scored({6: 0.3, 8: 0.2}, {**measured, "place": "/b", "digest": "2" * 64})
    result = run(request, report=silent, **{**settings, "announce": heard.append}, validators=[second])
    best = read_checkpoint(result.checkpoint.with_name("best.pt"))
    assert best["step"] == 6
    expected = {"score": 0.3, "step": 6, "measured": second.measured}
    assert best["window"]["best"] == expected == read_checkpoint(result.checkpoint)["window"]["best"]
    (note,) = (text for text in heard if "best.pt" in text)
    assert "anew at step 6" in note and "J&F on /b=val (22222222)" in note and "step 2 by J&F on /a=val" in note


def test_a_best_score_stays_where_its_videos_lie_elsewhere_now_or_are_not_told():
    measured = {"metric": "J&F", "place": "/a", "split": "val", "digest": "1" * 64, "max_sequences": 8}
    of_before = {"count": 0, "sums": {}, "best": {"score": 0.7, "step": 4}}
    assert not RunMemory(of_before).is_better(0.6, measured) and RunMemory(of_before).is_better(0.8, measured)
    memory = RunMemory()
    assert memory.remember(0.7, 4, measured) is None
    assert not memory.is_better(0.6, {**measured, "place": "/b"})
    for name, other in (("split", "all"), ("max_sequences", None), ("metric", "val_iou")):
        assert memory.is_better(0.6, {**measured, name: other}), name


def test_a_score_that_is_not_finite_is_never_the_best():
    memory = RunMemory()
    assert not any(memory.is_better(score) for score in (None, math.nan, math.inf, -math.inf))
    # As runs of before remembered it.
    assert RunMemory({"count": 0, "sums": {}, "best": {"score": math.nan, "step": 2}}).is_better(0.1)


def test_config_tells_where_a_run_is_validated_now(request_for, squares, tmp_path):
    settings = {"announce": silent, "batches": endless(squares)}
    run(request_for(), report=stopped_at(2), **settings)
    path = request_for().out / "config.json"
    before = json.loads(path.read_text())
    run(request_for(validate_on=((tmp_path / "videos", "all"),)), report=silent, **settings)
    assert json.loads(path.read_text()) == {**before, "validate": [f"{tmp_path / 'videos'}=all"]}


@pytest.mark.parametrize("content", ["[]", "3", '{"identity": []}'])
def test_config_that_holds_no_settings_is_named(request_for, squares, content):
    run(request_for(), report=stopped_at(1), announce=silent, batches=endless(squares))
    (request_for().out / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json holds .*, not the settings of a run.*another --out"):
        run(request_for(), report=silent, announce=silent, batches=endless(squares))


def test_checkpoint_of_before_there_was_a_best_one_is_resumed(request_for, squares):
    result = run(request_for(), report=stopped_at(3), announce=silent, batches=endless(squares))
    content = read_checkpoint(result.checkpoint)
    content["window"] = {name: content["window"][name] for name in ("count", "sums")}
    torch.save(content, result.checkpoint)
    resumed = run(request_for(), report=silent, announce=silent, batches=endless(squares))
    assert resumed.finished and resumed.started_from.startswith("step 3 of")


def test_run_folder_of_before_a_setting_was_known_is_resumed_while_the_setting_is_empty(request_for, squares):
    result = run(request_for(), report=stopped_at(3), announce=silent, batches=endless(squares))
    path = result.checkpoint.parents[1] / "config.json"
    config = json.loads(path.read_text())
    del config["identity"]["companion"]
    path.write_text(json.dumps(config))
    assert run(request_for(), report=silent, announce=silent, batches=endless(squares)).finished


def test_identity_holds_every_number_of_the_samples_and_a_folder_of_before_is_resumed(request_for, tiny_stage, squares):
    result = run(request_for(), report=stopped_at(3), announce=silent, batches=endless(squares))
    path = result.checkpoint.parents[1] / "config.json"
    config = json.loads(path.read_text())
    whole = config["identity"]["sample_settings"]
    assert whole["rotation_degrees"] == 15 and whole["clip_jitter"]["brightness"] == 0.3 and "crop_size" not in whole

    def stored(settings):
        config["identity"]["sample_settings"] = settings
        path.write_text(json.dumps(config))

    # A default that has changed since the run began, at the top and below.
    for changed in ({"rotation_degrees": 7.0}, {"clip_jitter": {**whole["clip_jitter"], "contrast": 0.5}}):
        stored({**whole, **changed})
        with pytest.raises(
            RunMismatch, match=r"sample_settings\.(rotation_degrees 7.0|clip_jitter.contrast 0.5) there"
        ):
            run(request_for(), report=silent, announce=silent, batches=endless(squares))
    # Before, the identity had the stage's own values alone: those must be equal, and today's defaults be asked for.
    stored({name: whole[name] for name in tiny_stage.sample_settings})
    turned = replace(tiny_stage, sample_settings={**tiny_stage.sample_settings, "shear_degrees": 3.0})
    with pytest.raises(RunMismatch, match=r"sample_settings.shear_degrees 10.0 there, 3.0 asked"):
        run(request_for(stage=turned), report=silent, announce=silent, batches=endless(squares))
    assert run(request_for(), report=silent, announce=silent, batches=endless(squares)).finished


def test_frozen_micro_batches_go_through_the_network_together_or_apart(tiny_stage, request_for, squares):
    frozen = replace(tiny_stage, train_batch_norm_until=0.0, num_steps=3)
    results = [
        run(request_for(f"per-{count}", stage=frozen, micro_batches_per_forward=count), report=silent, announce=silent)
        for count in (None, 1)
    ]
    records = [read_metrics(result.checkpoint.parents[1] / "metrics.jsonl") for result in results]
    assert records[0][-1]["loss"] == pytest.approx(records[1][-1]["loss"], rel=1e-4)


def test_batch_smaller_than_a_micro_batch_is_one_and_others_must_be_multiples(tiny_stage, request_for):
    stage = replace(tiny_stage, batch_size=8, micro_batch=4)
    assert request_for(stage=stage, batch_size=2).division().micro_batch == 2
    assert request_for(stage=stage, batch_size=12).division(3).share == 4
    with pytest.raises(ValueError, match=r"batch_size is 6, it must be a multiple of .* micro-batch of 4 samples"):
        run(request_for(stage=stage, batch_size=6), report=silent, announce=silent)


@pytest.mark.parametrize("kind", ["propagation", "clicknet"])
def test_companion_must_be_given_where_it_is_needed_and_be_of_its_kind(kind, tiny_stage, request_for, tmp_path):
    needs = replace(tiny_stage, companion=kind)
    with pytest.raises(ValueError, match=rf"needs a trained {kind} network .*; give --companion CKPT, a checkpoint of"):
        request_for(stage=needs)
    with pytest.raises(ValueError, match=r"--companion of stage tiny-stage: no checkpoint at .*some\.pt"):
        run(request_for(stage=needs, companion=tmp_path / "some.pt"), report=silent, announce=silent)
    other = write_tiny_checkpoint(tmp_path / "other.pt", "fusion")
    with pytest.raises(ValueError, match=rf"--companion of .*other\.pt holds .* kind 'fusion', expected '{kind}'"):
        run(request_for(stage=needs, companion=other), report=silent, announce=silent)
    assert not request_for().out.exists()


def test_companion_is_refused_where_none_is_needed(request_for, tmp_path):
    with pytest.raises(ValueError, match=r"needs no network beside its own; leave --companion .*some\.pt out"):
        request_for(companion=tmp_path / "some.pt")


def test_run_with_a_companion_from_before_it_had_its_name_goes_on(tiny_stage, tmp_path):
    companion = write_tiny_checkpoint(tmp_path / "network.pt", "propagation")
    stage = replace(tiny_stage, companion="propagation")
    request = RunRequest(stage=stage, data=(), out=tmp_path / "run", companion=companion)
    identity = run_identity(request)
    before = {name: value for name, value in identity.items() if name != "companion_sha256"}
    before["propagation_sha256"] = sha256_of_file(companion)
    assert with_defaults(before, stage) == with_defaults(identity, stage)


def test_more_loader_processes_than_clips_are_named(request_for):
    heard = []
    run(request_for(num_workers=5, num_steps=1), report=silent, announce=heard.append)
    assert "5 loader processes for 4 clips or stills" in " ".join(heard) and "--num-workers 4" in " ".join(heard)


def test_gpu_that_is_not_there_is_refused_before_anything_is_written(request_for, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"'cuda' is asked for, but torch sees no CUDA device; use --device cpu"):
        run(request_for(device="cuda"), report=silent, announce=silent)
    assert not request_for().out.exists()


def test_validations_of_places_come_at_a_twentieth_of_the_run_when_not_said_otherwise(request_for, tmp_path):
    places = ((tmp_path, "val"),)
    assert request_for(num_steps=40, validate_on=places).steps_between_validations == 2
    assert request_for(num_steps=40).steps_between_validations == 0
    assert request_for(num_steps=40, validate_on=places, validate_every=7).steps_between_validations == 7
    with pytest.raises(ValueError, match="leave one of them out"):
        request_for(validate_on=places, validate_every=0)


@pytest.mark.slow
def test_compiled_network_learns_the_same_under_the_same_names(request_for, squares, monkeypatch):
    # Traced, differentiated and functionalised as for the default backend, whose code generation takes minutes.
    monkeypatch.setattr(run_module, "compile_parts", lambda network: compile_parts(network, "aot_eager"))
    requests = [
        request_for(name, compile=name == "compiled", num_steps=3, log_every=1) for name in ("plain", "compiled")
    ]
    results = [run(one, report=silent, announce=silent, batches=endless(squares)) for one in requests]
    plain, compiled = (read_checkpoint(result.checkpoint)["network"] for result in results)
    assert plain.keys() == compiled.keys()
    losses = [
        [record["loss"] for record in read_metrics(result.checkpoint.parents[1] / "metrics.jsonl")]
        for result in results
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    statistics = [name for name in plain if name.endswith("running_var")]
    assert statistics and all(torch.allclose(plain[name], compiled[name], rtol=1e-2) for name in statistics)
