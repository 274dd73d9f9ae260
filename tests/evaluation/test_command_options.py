"""Options that the evaluation commands share mean the same in all of them."""

import pytest
from davis_tree import write_tree
from vosforge.train.evaluation.cli import COMMANDS, Masks
from vosforge.train.evaluation.command_options import (
    NetworkOptions,
    PropagationOptions,
    SequenceOptions,
    check_input_file,
    check_numbers,
)
from vosforge.train.evaluation.errors import EvaluationError, as_evaluation_errors

NETWORK_COMMANDS = [command for command in COMMANDS.values() if command is not Masks]


@pytest.mark.parametrize("command", COMMANDS.values())
def test_every_command_chooses_its_sequences_in_the_same_way(command):
    assert issubclass(command, SequenceOptions)
    assert command.__dataclass_fields__["sequence"].default == ()


@pytest.mark.parametrize("command", NETWORK_COMMANDS)
def test_every_command_with_networks_has_one_rule_for_their_device(command):
    assert issubclass(command, NetworkOptions) and command.chosen_device is NetworkOptions.chosen_device


def test_cuda_need_not_be_here_when_networks_run_on_other_machines(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert NetworkOptions(device="cuda", address="head:6379").chosen_device() == "cuda"
    assert NetworkOptions(device="auto", address="head:6379").chosen_device() == "cpu"
    with pytest.raises(EvaluationError, match="torch sees no CUDA device; use --device cpu or auto"):
        NetworkOptions(device="cuda").chosen_device()
    assert NetworkOptions(device="cuda").chosen_device(has_networks=False) == "cpu"


def test_top_k_of_nought_reads_the_whole_memory():
    inference = PropagationOptions(memory_every=3, top_k=0, short_side=240).inference("cuda")
    assert (inference.memory_every, inference.top_k, inference.short_side, inference.device) == (3, None, 240, "cuda")
    assert PropagationOptions().inference("cpu").top_k == 50


def test_only_the_sequences_asked_for_are_opened(tmp_path):
    root = write_tree(tmp_path / "davis", {"one": 1, "two": 2}, num_frames=3)
    found = SequenceOptions(root=str(root), sequence=("two",)).open_sequences()
    assert [sequence.name for sequence in found.sequences] == ["two"]
    with pytest.raises(EvaluationError, match="no sequence 'three'"):
        SequenceOptions(root=str(root), sequence=("three",)).open_sequences()


def test_numbers_and_files_are_checked_by_their_flags(tmp_path):
    check_numbers(("--rounds", 1, 1), ("--short-side", None, 1))
    with pytest.raises(EvaluationError, match="--rounds is 0; give 1 or more"):
        check_numbers(("--pictures", 0, 0), ("--rounds", 0, 1))
    with pytest.raises(EvaluationError, match=r"--osvos .*none\.pt is missing"):
        check_input_file(tmp_path / "none.pt", "--osvos")
    with pytest.raises(EvaluationError, match=r"--osvos .* is not a file"):
        check_input_file(tmp_path, "--osvos")


def test_an_error_that_is_told_already_stays_as_it_is():
    told = EvaluationError("this and that")
    with pytest.raises(EvaluationError) as caught, as_evaluation_errors():
        raise told
    assert caught.value is told
    with pytest.raises(EvaluationError, match="5 is too much") as caught, as_evaluation_errors():
        raise ValueError("5 is too much")
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(KeyError), as_evaluation_errors():
        raise KeyError("a fault of the program")
