"""One update, whatever number of processes computes it: gradients, weights and running statistics agree."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from distributed_program import CASES as PARTS
from distributed_program import network_of
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.log import read_metrics
from vosforge.train.micro_batches import BatchDivision, rows_of

PROGRAM = Path(__file__).with_name("distributed_program.py")
CASES = ("propagation", "propagation-frozen", "s2m", "fusion", "ipn", "ipn-frozen", "ipn-part")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What 1, 2 and 8 processes computed: "RANKS-rank-RANK" -> content."""
    out = tmp_path_factory.mktemp("ranks")
    done = subprocess.run([sys.executable, str(PROGRAM), str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {"out": out, **{path.stem: torch.load(path, weights_only=True) for path in out.glob("*.pt")}}


def relative_error(ours, theirs):
    """Largest difference of each tensor, relative to its largest value; the largest over all tensors.

    A tensor whose values are nothing but rounding, as the gradient of a bias that a softmax takes out again, counts
    relative to the largest value of all tensors.
    """
    assert ours.keys() == theirs.keys()
    floor = 1e-9 * max(float(one.abs().max()) for one in theirs.values())
    return max(float((ours[name] - one).abs().max() / one.abs().max().clamp(min=floor)) for name, one in theirs.items())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("num_ranks", [2, 8])
def test_reduced_gradients_are_those_of_one_process(results, num_ranks, case):
    alone, shared = results["1-rank-0"][case], results[f"{num_ranks}-rank-0"][case]
    assert all(one.dtype == torch.float64 and one.isfinite().all() for one in alone["gradients"].values())
    assert relative_error(shared["gradients"], alone["gradients"]) < 1e-6
    assert shared["losses"][0] == pytest.approx(alone["losses"][0], rel=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("num_ranks", [2, 8])
def test_weights_after_plain_gradient_steps_are_those_of_one_process(results, num_ranks, case):
    alone, shared = results["1-rank-0"][case], results[f"{num_ranks}-rank-0"][case]
    # Buffers among them: the running statistics.
    assert relative_error(shared["state"], alone["state"]) < 1e-6
    assert shared["losses"] == pytest.approx(alone["losses"], rel=1e-6)
    assert alone["losses"][0] != alone["losses"][-1], "the steps changed the network"


def test_a_frozen_part_stays_and_its_predictions_have_no_gradient(results):
    start = network_of(PARTS["ipn-part"][0])[0].state_dict()
    for name in ("1-rank-0", "2-rank-0", "8-rank-7"):
        part = results[name]["ipn-part"]
        assert part["gradients"] and all(one.startswith("propagation.") for one in part["gradients"])
        changed = {one.split(".")[0] for one, value in part["state"].items() if not torch.equal(value, start[one])}
        assert changed == {"propagation"}


def test_running_statistics_are_the_same_bits_in_the_first_step(results):
    for case in ("propagation", "s2m"):
        state = results["1-rank-0"][case]["state"]
        counts = {name: int(value) for name, value in state.items() if name.endswith("num_batches_tracked")}
        assert counts and min(counts.values()) >= 5 * 8, "five steps of eight micro-batches"
        for other in ("2-rank-0", "8-rank-7"):
            assert counts == {name: int(results[other][case]["state"][name]) for name in counts}


@pytest.mark.parametrize("case", ["propagation-frozen", "fusion"])
def test_gradient_is_that_of_the_mean_loss_over_the_whole_batch(results, case):
    whole = results["whole"][case]
    for name in ("1-rank-0", "8-rank-0"):
        ours = results[name][case]["gradients"]
        assert relative_error({key: ours[key] for key in whole}, whole) < 1e-6


def test_every_process_has_the_same_metrics(results):
    for case in CASES:
        assert results["8-rank-0"][case]["metrics"] == results["8-rank-7"][case]["metrics"]
        assert results["8-rank-0"][case]["metrics"] == pytest.approx(results["1-rank-0"][case]["metrics"], rel=1e-6)


def test_gradients_flags_and_messages_of_a_group(results):
    for num_ranks in (2, 8):
        for rank in (0, num_ranks - 1):
            pieces = results[f"{num_ranks}-rank-{rank}"]["pieces"]
            total = num_ranks * (num_ranks + 1) / 2
            assert pieces["gradients"] == [[total, total], [1.0, 1.0], None]
            assert pieces["any"] == [True, False]
            assert pieces["first"]["x"].item() == 1 and pieces["first"]["best"] is None
            assert pieces["message"] == f"process 1 of {num_ranks}: no such corpus"


def test_loss_that_is_not_finite_in_one_process_stops_all_with_its_batch_saved(results):
    folder = results["out"] / "failed"
    for rank in (0, 1):
        message = results[f"2-rank-{rank}"]["runs"]["message"]
        assert "step 3: loss nan" in message and "not finite in process 1 of 2" in message
        assert "failed-batch-00000003-rank-1.pt" in message and "last checkpoint is of step 2" in message
    assert [path.name for path in folder.glob("failed-*")] == ["failed-batch-00000003-rank-1.pt"]
    saved = torch.load(folder / "failed-batch-00000003-rank-1.pt", weights_only=True)
    assert saved["batch"]["rgb"].isnan().any() and len(saved["batch"]["rgb"]) == 2
    assert read_checkpoint(folder / "checkpoints" / "last.pt")["step"] == 2


def test_signal_to_one_process_stops_all_after_the_same_step(results):
    assert results["2-rank-0"]["runs"]["stopped"] == results["2-rank-1"]["runs"]["stopped"] == [3, False]
    folder = results["out"] / "stopped"
    assert read_checkpoint(folder / "checkpoints" / "last.pt")["step"] == 3
    assert [record["step"] for record in read_metrics(folder / "metrics.jsonl")] == [1, 2, 3]


def test_only_the_first_process_speaks(results):
    assert results["2-rank-0"]["runs"]["spoke"] >= 3 and results["2-rank-1"]["runs"]["spoke"] == 0


def test_share_that_cannot_be_equal_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"4 micro-batches of 2 samples, which 3 processes cannot.*start 1 or 2 or 4"):
        BatchDivision(batch_size=8, micro_batch=2, num_ranks=3)
    with pytest.raises(ValueError, match=r"give a batch_size that is a multiple of 32"):
        BatchDivision(batch_size=16, micro_batch=4, num_ranks=8)
    with pytest.raises(ValueError, match=r"batch_size is 6, .* micro-batch of 4 samples; give 4 or 8"):
        BatchDivision(batch_size=6, micro_batch=4)


def test_forward_passes_are_micro_batches_while_statistics_are_learnt():
    division = BatchDivision(batch_size=16, micro_batch=2, num_ranks=2)
    assert division.forward_passes(True) == [range(0, 2), range(2, 4), range(4, 6), range(6, 8)]
    assert division.forward_passes(False) == [range(0, 8)]
    three = BatchDivision(batch_size=16, micro_batch=2, num_ranks=2, per_forward=3)
    assert three.forward_passes(False) == [range(0, 6), range(6, 8)]
    assert three.forward_passes(True) == division.forward_passes(True)


def test_rows_are_taken_of_tensors_and_lists_alike():
    batch = {"rgb": torch.arange(4), "key": list("abcd"), "scale": 2.0}
    rows = rows_of(batch, range(1, 3))
    assert rows["rgb"].tolist() == [1, 2] and rows["key"] == ["b", "c"] and rows["scale"] == 2.0
