import pytest
import torch
from trained_runs import endless, requests, silent, stopped_at
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.log import read_metrics
from vosforge.train.run import run
from vosforge.train.validation.validator import Validation

SCORES = {2: 0.3, 4: 0.7, 6: 0.5, 8: 0.7}


class Scripted:
    """A validator that gives the score written down for each step."""

    name = "scripted"

    def __call__(self, network, step):
        return Validation(metrics={"val_score": SCORES[step]}, score=SCORES[step])


@pytest.fixture
def request_for(tiny_stage, tiny_corpus, tmp_path):
    make = requests(tiny_stage, tiny_corpus, tmp_path, log_every=4, picture_every=0, validate_every=2)
    return lambda name="run", **changes: make(name, **{"data": (), **changes})


@pytest.fixture
def batches(squares):
    return endless(squares)


def test_best_checkpoint_is_the_first_one_with_the_highest_score(request_for, batches):
    run(request_for(), report=silent, announce=silent, batches=batches, validators=[Scripted()])
    folder = request_for().out / "checkpoints"
    assert read_checkpoint(folder / "best.pt")["step"] == 4
    scores = [
        record["val_score"] for record in read_metrics(request_for().out / "metrics.jsonl") if "val_score" in record
    ]
    assert scores == list(SCORES.values())


def test_a_resumed_run_knows_the_best_score_of_before(request_for, batches):
    settings = {"announce": silent, "batches": batches, "validators": [Scripted()]}
    stopped = run(request_for(), report=stopped_at(5), **settings)
    assert not stopped.finished
    best = request_for().out / "checkpoints" / "best.pt"
    written = best.stat().st_mtime_ns
    assert run(request_for(), report=silent, **settings).finished
    assert best.stat().st_mtime_ns == written and read_checkpoint(best)["step"] == 4


def test_a_resumed_run_with_the_same_places_compares_and_ends_as_a_whole_one(request_for, tiny_corpus):
    def content(name, file):
        return read_checkpoint(request_for(name).out / "checkpoints" / file)

    settings = {"data": ((tiny_corpus, 1.0),), "num_steps": 4}
    heard = []
    run(request_for("whole", **settings), report=silent, announce=silent)
    run(request_for("resumed", **settings), report=stopped_at(2), announce=heard.append)
    assert run(request_for("resumed", **settings), report=silent, announce=heard.append).finished
    assert not any("best.pt" in text for text in heard)
    for file in ("last.pt", "best.pt"):
        whole, resumed = content("whole", file), content("resumed", file)
        assert whole["window"]["best"] == resumed["window"]["best"] and whole["step"] == resumed["step"]
        assert all(torch.equal(resumed["network"][name], value) for name, value in whole["network"].items())


def test_a_run_validates_on_its_own_held_out_clips_and_draws_them(request_for, tiny_corpus):
    request = request_for(data=((tiny_corpus, 1.0),), num_steps=2)
    run(request, report=silent, announce=silent)
    (found,) = (record for record in read_metrics(request.out / "metrics.jsonl") if "val_loss" in record)
    assert {"step", "corpus/J&F", "corpus/J", "corpus/F", "val_iou"} <= set(found)
    drawn = sorted(str(path.relative_to(request.out)) for path in request.out.glob("validation/*/*"))
    assert drawn == ["validation/corpus/step-00000002.png", "validation/held-out/step-00000002.png"]
    assert read_checkpoint(request.out / "checkpoints" / "best.pt")["step"] == 2
