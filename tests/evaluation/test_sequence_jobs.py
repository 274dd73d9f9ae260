"""Functions over sequences: order, shared data, errors, processes."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from davis_tree import write_tree
from rich.console import Console
from vosforge.datagen.farm.task import FarmSettings
from vosforge.train.evaluation import frame_progress
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.frame_progress import FrameBar, counting_into
from vosforge.train.evaluation.jobs import Task, TasksFailed, frames_done, map_sequences, map_tasks
from vosforge.train.evaluation.parallel_options import ParallelOptions
from vosforge.train.evaluation.sequences import open_sequences

TWO_PROCESSES = FarmSettings(executor="local", num_workers=2, retries=0)


@pytest.fixture
def sequences(tmp_path):
    return open_sequences(write_tree(tmp_path / "tree", {"two": 2, "one": 1, "again": 2})).sequences


def largest_id(sequence) -> int:
    return int(sequence.read_truth(0).max())


def scaled(factor, value):
    return factor * value


def picky(value):
    if value == 3:
        raise EvaluationError("3 cannot be used; give another number")
    return value


def faulty(value):
    return 1 / value


def dying(value):
    if value == 0:
        os._exit(3)
    return value


def telling(num_frames):
    for _ in range(num_frames):
        frames_done(1)


def tasks(*payloads) -> list[Task]:
    return [Task(f"task {k}", payload) for k, payload in enumerate(payloads)]


def test_results_come_in_the_order_of_the_sequences(sequences):
    assert map_sequences(largest_id, sequences) == [2, 1, 2]


@pytest.mark.slow
def test_processes_give_what_one_gives(sequences):
    assert map_sequences(largest_id, sequences, TWO_PROCESSES) == [2, 1, 2]


@pytest.mark.slow
def test_ray_gives_what_one_process_gives(sequences, monkeypatch):
    pytest.importorskip("ray", reason="needs the extra farm")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    assert map_sequences(largest_id, sequences, FarmSettings(executor="ray", num_workers=2)) == [2, 1, 2]


def test_shared_data_reaches_every_call():
    assert map_tasks(scaled, tasks(1, 2, 3), shared=10) == [10, 20, 30]


def test_what_the_user_can_mend_stops_the_run_with_its_own_words():
    with pytest.raises(EvaluationError, match=r"^3 cannot be used; give another number$"):
        map_tasks(picky, tasks(1, 3, 5))


def test_fault_of_the_program_lets_the_others_end_and_is_told_with_its_traceback():
    with pytest.raises(TasksFailed, match=r"1 of 3 failed, first task 1: ZeroDivisionError") as caught:
        map_tasks(faulty, tasks(1, 0, 2))
    assert "in faulty" in caught.value.failures["task 1"].traceback


@pytest.mark.slow
def test_lost_process_is_named():
    with pytest.raises(TasksFailed, match=r"1 of 3 failed, first task 1: .* exit code 3"):
        map_tasks(dying, tasks(1, 0, 2), TWO_PROCESSES)


def test_bar_counts_every_frame_once_whether_told_or_not(capsys):
    console = Console(width=100)
    map_tasks(telling, [Task("one", 4, 4), Task("two", 3, 5)], doing="walking", console=console)
    assert "9/9" in capsys.readouterr().out


def test_counts_of_another_process_move_the_bar_before_its_task_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_progress, "LOOK_SECONDS", 0)
    shown = []
    bar = FrameBar(12, tmp_path, lambda completed, name: shown.append((completed, name)))
    with counting_into(tmp_path / "0"):
        frames_done(3)
    bar.look()
    (tmp_path / "1").write_text("half writ")
    bar.look()
    bar.task_ended(0, Task("first", None, 5))
    (tmp_path / "1").write_text("9")
    bar.look()
    assert shown == [(3, ""), (3, ""), (5, "first"), (12, "first")]
    frames_done(1)  # no task runs here any more


def test_sequences_of_trees_and_corpora_survive_pickling(sequences, tiny_corpus):
    for sequence in (*sequences, *open_sequences(tiny_corpus).sequences):
        again = pickle.loads(pickle.dumps(sequence))
        np.testing.assert_array_equal(again.read_labels(3), sequence.read_labels(3))
        np.testing.assert_array_equal(again.read_frame(1), sequence.read_frame(1))


def test_one_worker_runs_in_this_process_without_ray():
    farm = ParallelOptions().farm()
    assert (farm.executor, farm.num_workers) == ("local", 1)
    assert ParallelOptions(workers=3, executor="local").farm().num_workers == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "--workers 0"),
        ({"address": "auto", "executor": "local"}, "--address is of a Ray cluster"),
        ({"workers": 2, "executor": "local", "gpus_per_task": 0.5}, "--gpus-per-task 0.5 without a GPU"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(EvaluationError, match=message):
        ParallelOptions(**options).farm()
