import fcntl
import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from trained_runs import endless, requests, silent, stopped_at
from vosforge.datagen.writing.writer import CorpusWriter, commit_part
from vosforge.train.checkpoint import load_network, read_checkpoint
from vosforge.train.log import read_metrics
from vosforge.train.loop import TrainingFailed
from vosforge.train.run import run
from vosforge.train.run_folder import RunMismatch


@pytest.fixture
def request_for(tiny_stage, tiny_corpus, tmp_path):
    return requests(tiny_stage, tiny_corpus, tmp_path, log_every=3, checkpoint_every=3, picture_every=0)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def timeless(record):
    """Without what the clock decides: a record of the log, or a checkpoint."""
    kept = {
        key: value for key, value in record.items() if key not in ("samples_per_second", "data_wait_share", "seconds")
    }
    return {**kept, "window": timeless(kept["window"])} if "window" in kept else kept


@pytest.mark.parametrize("stop_after", [3, 4])
def test_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(request_for, stop_after):
    whole = run(request_for("whole"), report=silent, announce=silent)
    halved = run(request_for("halved"), report=stopped_at(stop_after), announce=silent)
    assert (halved.steps, halved.finished) == (stop_after, False)
    # What the process had drawn meanwhile must not matter.
    torch.manual_seed(99)
    resumed = run(request_for("halved"), report=silent, announce=silent)
    assert resumed.started_from.startswith(f"step {stop_after} of")
    assert whole.finished and resumed.finished
    assert same(timeless(read_checkpoint(whole.checkpoint)), timeless(read_checkpoint(resumed.checkpoint)))
    logs = [read_metrics(result.checkpoint.parents[1] / "metrics.jsonl") for result in (whole, resumed)]
    assert [record["step"] for record in logs[0]] == [3, 6, 8]
    assert logs[1][-1]["seconds"] > logs[1][0]["seconds"] > 0, "the hours of both processes"
    assert list(map(timeless, logs[0])) == list(map(timeless, logs[1]))


def test_resume_after_a_crash_repeats_the_lost_steps_and_logs_none_twice(request_for):
    class Crash(Exception):
        pass

    def crash_at_seven(report):
        if report.step == 7:
            raise Crash

    whole = run(request_for("whole"), report=silent, announce=silent)
    with pytest.raises(Crash):
        run(request_for("crashed", log_every=1), report=crash_at_seven, announce=silent)
    resumed = run(request_for("crashed", log_every=1), report=silent, announce=silent)
    assert resumed.started_from.startswith("step 6 of")
    assert same(read_checkpoint(whole.checkpoint)["network"], read_checkpoint(resumed.checkpoint)["network"])
    assert [record["step"] for record in read_metrics(resumed.checkpoint.parents[1] / "metrics.jsonl")] == list(
        range(1, 9)
    )


def test_finished_run_is_left_alone(request_for):
    first = run(request_for(), report=silent, announce=silent)
    written = first.checkpoint.stat().st_mtime_ns
    again = run(request_for(), report=silent, announce=silent)
    assert again.finished and first.checkpoint.stat().st_mtime_ns == written


def test_another_seed_gives_another_network(request_for):
    results = [run(request_for(f"seed{seed}", seed=seed), report=silent, announce=silent) for seed in (1, 2)]
    states = [read_checkpoint(result.checkpoint)["network"] for result in results]
    assert not torch.equal(states[0]["predict.weight"], states[1]["predict.weight"])


def test_run_folder_holds_settings_checkpoints_metrics_and_pictures(request_for):
    result = run(request_for(picture_every=4, validate_every=4), report=silent, announce=silent)
    folder = result.checkpoint.parents[1]
    assert {path.name for path in (folder / "pictures").iterdir()} == {"step-00000004.png", "step-00000008.png"}
    config = json.loads((folder / "config.json").read_text())
    assert config["identity"]["num_steps"] == 8 and len(config["identity"]["data"][0]["index_sha256"]) == 64
    assert config["code_version"]
    held_out = [record for record in read_metrics(folder / "metrics.jsonl") if "val_loss" in record]
    assert [record["step"] for record in held_out] == [4, 8] and 0 <= held_out[0]["val_iou"] <= 1
    network, info = load_network(result.checkpoint)
    assert (info["stage"], info["step"], info["size"]) == ("tiny-stage", 8, "tiny")
    assert not network.training


def test_validation_and_pictures_change_no_weight(request_for):
    plain = run(request_for("plain"), report=silent, announce=silent)
    watched = run(request_for("watched", validate_every=2, picture_every=2), report=silent, announce=silent)
    assert same(read_checkpoint(plain.checkpoint)["network"], read_checkpoint(watched.checkpoint)["network"])


def test_folder_of_a_run_with_other_settings_is_refused_by_field(request_for):
    run(request_for(), report=silent, announce=silent)
    with pytest.raises(RunMismatch, match=r"seed 0 there, 5 asked.*another --out"):
        run(request_for(seed=5), report=silent, announce=silent)
    with pytest.raises(RunMismatch, match=r"num_steps 8 there, 16 asked.*cannot be lengthened"):
        run(request_for(num_steps=16), report=silent, announce=silent)
    with pytest.raises(RunMismatch, match=r"holds a run of \S+, not of other; use another --out$"):
        run(request_for(stage=replace(request_for().stage, name="other")), report=silent, announce=silent)
    # How often something is written is not the run's identity.
    assert run(request_for(log_every=1, num_workers=1), report=silent, announce=silent).finished


def write_stills(folder, names, left=2):
    folder.mkdir(exist_ok=True)
    mask = np.zeros((16, 16), np.uint8)
    mask[2:9, left:12] = 255
    for name in names:
        cv2.imwrite(str(folder / f"{name}.jpg"), np.full((16, 16, 3), 90, np.uint8))
        cv2.imwrite(str(folder / f"{name}.png"), mask)
    return folder


def test_a_folder_of_stills_with_other_pictures_is_another_run(request_for, squares, tmp_path):
    first = write_stills(tmp_path / "first", "ab")

    def go_on(stills, report=silent):
        return run(request_for(data=((stills, 1.0),)), report=report, announce=silent, batches=endless(squares))

    go_on(first, stopped_at(2))
    refused = r"data\.0\.stills_fingerprint .* there, .* asked .*folder of stills"
    with pytest.raises(RunMismatch, match=refused):
        go_on(write_stills(tmp_path / "second", "bc"))
    assert go_on(first.rename(tmp_path / "moved"), stopped_at(4)).started_from.startswith("step 2")
    with pytest.raises(RunMismatch, match=refused):
        go_on(write_stills(tmp_path / "moved", "c"))


def test_a_run_from_before_folders_of_stills_were_looked_at_goes_on(request_for, squares, tmp_path):
    request = request_for(data=((write_stills(tmp_path / "stills", "ab"), 1.0),))
    run(request, report=stopped_at(2), announce=silent, batches=endless(squares))
    path = request.out / "config.json"
    config = json.loads(path.read_text())
    assert len(config["identity"]["data"][0].pop("stills_fingerprint")) == 16
    path.write_text(json.dumps(config))
    resumed = run(request, report=silent, announce=silent, batches=endless(squares))
    assert resumed.started_from.startswith("step 2")


def test_foreign_folder_is_refused_and_left_alone(request_for, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="not empty and holds no run"):
        run(request_for(), report=silent, announce=silent)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_folder_in_use_by_another_process_is_refused(request_for):
    request_for().out.mkdir()
    with (request_for().out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="being trained by another process"):
            run(request_for(), report=silent, announce=silent)


def test_missing_corpus_is_refused_before_anything_is_written(request_for, tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        run(request_for(data=((tmp_path / "nowhere", 1.0),)), report=silent, announce=silent)
    assert not (tmp_path / "run").exists()


def test_corpus_without_usable_clips_leaves_no_run_folder(request_for, tiny_world, tmp_path):
    no_train = tiny_world.write(tmp_path / "no_train", num_clips=2, val_every=1)
    with pytest.raises(ValueError, match='no clip of 3 frames or more in its split "train"'):
        run(request_for(data=((no_train, 1.0),)), report=silent, announce=silent)
    short_val = tmp_path / "short_val"
    writer = CorpusWriter(short_val, tiny_world.description(num_clips=2, val_every=2))
    for index in range(2):
        commit_part(short_val, f"tiny-{index:06d}", index, tiny_world.clip_members(index, num_frames=8 - 6 * index), {})
    writer.assemble_ready()
    writer.finish()
    with pytest.raises(ValueError, match='no clip of 3 frames or more in its split "val"'):
        run(request_for(data=((short_val, 1.0),), validate_every=2), report=silent, announce=silent)
    assert not (tmp_path / "run").exists()


def test_a_corpus_without_objects_is_named(request_for, tiny_world, tmp_path):
    empty = tmp_path / "empty"
    writer = CorpusWriter(empty, tiny_world.description(num_clips=1, val_every=0))
    members = tiny_world.clip_members(0)
    for place, (name, content) in enumerate(members):
        if name.endswith(".json"):
            members[place] = (name, json.dumps({**json.loads(content), "objects": []}).encode())
    commit_part(empty, "tiny-000000", 0, members, {})
    writer.assemble_ready()
    writer.finish()
    with pytest.raises(ValueError, match='in its split "train" shows an object'):
        run(request_for(data=((empty, 1.0),)), report=silent, announce=silent)
    assert not (tmp_path / "run").exists()


def test_temporary_files_of_killed_runs_are_removed(request_for, squares):
    request = request_for()
    request.out.mkdir()
    # Killed while config.json was written for the first time.
    (request.out / ".lock").touch()
    (request.out / ".config.json.tmp-1-0badcafe").write_text("{")
    run(request, report=stopped_at(2), announce=silent, batches=endless(squares))
    (request.out / "checkpoints" / ".last.pt.tmp-2-0badcafe").write_bytes(b"half")
    run(request, report=silent, announce=silent, batches=endless(squares))
    assert not list(request.out.rglob(".*.tmp-*"))


def test_checkpoint_without_optimiser_cannot_be_resumed_and_says_so(request_for, squares):
    result = run(request_for(), report=stopped_at(1), announce=silent, batches=endless(squares))
    content = read_checkpoint(result.checkpoint)
    del content["optimiser"], content["window"]
    torch.save(content, result.checkpoint)
    with pytest.raises(ValueError, match=r"last\.pt lacks optimiser and window"):
        run(request_for(), report=silent, announce=silent, batches=endless(squares))


def test_numbered_checkpoints_are_kept_whatever_the_other_interval(request_for, squares):
    result = run(request_for(checkpoint_every=3), report=silent, announce=silent, batches=endless(squares))
    names = sorted(path.name for path in result.checkpoint.parent.iterdir())
    assert names == ["last.pt", *(f"step-{step:08d}.pt" for step in (2, 4, 6, 8))]


def test_loss_that_is_not_finite_stops_with_the_batch_saved(request_for, squares):
    def batches(step):
        for number, batch in enumerate(endless(squares)(step), start=step):
            if number == 5:
                batch["rgb"][0, 1] = float("nan")
            yield batch

    request = request_for(checkpoint_every=2)
    with pytest.raises(TrainingFailed, match=r"step 5: loss nan.*squares-000005.*last checkpoint is of step 4"):
        run(request, report=silent, announce=silent, batches=batches)
    saved = torch.load(request.out / "failed-batch-00000005.pt", weights_only=True)
    assert saved["batch"]["rgb"].isnan().any()
    state = read_checkpoint(request.out / "checkpoints" / "last.pt")
    assert state["step"] == 4 and all(value.isfinite().all() for value in state["network"].values())


def test_batch_norm_statistics_are_learnt_only_in_their_part_of_the_run(tiny_stage, request_for, squares):
    frozen = replace(tiny_stage, train_batch_norm_until=0.0)
    result = run(request_for("frozen", stage=frozen), report=silent, announce=silent, batches=endless(squares))
    assert not read_checkpoint(result.checkpoint)["network"]["query_encoder.bn1.running_mean"].any()
    half = replace(tiny_stage, train_batch_norm_until=0.5)
    result = run(request_for("half", stage=half), report=silent, announce=silent, batches=endless(squares))
    # Two micro-batches of one sample in each of four steps.
    assert read_checkpoint(result.checkpoint)["network"]["query_encoder.bn1.num_batches_tracked"] == 8


def test_run_starts_from_a_checkpoint_of_the_same_size(request_for):
    first = run(request_for("first"), report=silent, announce=silent)
    heard = []
    run(request_for("second", init=first.checkpoint), report=silent, announce=heard.append)
    assert "from weights of tiny-stage, step 8" in heard[0]


def test_a_run_goes_on_without_the_file_that_it_began_with(request_for, squares, tmp_path):
    def go(name, init, report=silent):
        return run(request_for(name, init=init), report=report, announce=silent, batches=endless(squares))

    init = shutil.copy(go("first", None).checkpoint, tmp_path / "init.pt")
    other = shutil.copy(init, tmp_path / "other.pt")
    go("second", init, stopped_at(2))
    init.write_bytes(b"another file")
    assert go("second", init, stopped_at(4)).started_from.startswith("step 2")
    with pytest.raises(ValueError, match=r"init\.pt cannot be read"):
        go("third", init)
    init.unlink()
    assert go("second", other, stopped_at(6)).started_from.startswith("step 4"), "the same file elsewhere"
    other.unlink()
    with pytest.raises(ValueError, match=r"no file at --init .*other\.pt; the run in .* began with --init .*init\.pt"):
        go("second", other)
    with pytest.raises(RunMismatch, match="init_sha256"):
        go("second", None)
    assert go("second", init).finished
    with pytest.raises(ValueError, match=r"no checkpoint at .*init\.pt"):
        go("third", init)


def test_a_lost_or_torn_last_checkpoint_names_the_newest_whole_one_and_never_begins_anew(request_for, squares):
    def go():
        return run(request_for(), report=silent, announce=silent, batches=endless(squares))

    last = go().checkpoint
    whole, folder = last.read_bytes(), last.parent
    (folder / "step-00000008.pt").write_bytes(whole[:1000])
    way_out = r"; copy .*step-00000006\.pt over last\.pt, and the run goes on from there$"
    for content in (whole[: len(whole) // 2], None):
        last.unlink() if content is None else last.write_bytes(content)
        with pytest.raises(ValueError, match=r"last\.pt.*" + way_out):
            go()
    shutil.copy(folder / "step-00000006.pt", last)
    assert go().started_from.startswith("step 6 of")
    last.write_bytes(whole[:1000])
    for path in folder.glob("step-*.pt"):
        path.write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"no step-\*\.pt beside it is whole: start a new run with another --out$"):
        go()


def test_bad_numbers_are_refused_by_name(request_for):
    for name, value in (("num_steps", 0), ("batch_size", -1), ("crop_size", 100), ("seed", -3)):
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            request_for(**{name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"step": 99}, "is of step 99"),
        ({"size": {"x": 1}}, "network of size"),
        ({"window": {"sums": {}}}, "optimiser or log window does not fit"),
        ({"optimiser": {"state": {}, "param_groups": []}}, "optimiser or log window does not fit"),
    ],
)
def test_a_checkpoint_that_is_not_of_this_run_is_named(request_for, squares, change, said):
    result = run(request_for(), report=stopped_at(1), announce=silent, batches=endless(squares))
    content = read_checkpoint(result.checkpoint)
    torch.save({**content, **change}, result.checkpoint)
    with pytest.raises(ValueError, match=rf"last\.pt.*{said}"):
        run(request_for(), report=silent, announce=silent, batches=endless(squares))
