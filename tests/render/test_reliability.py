"""Whatever fails while a corpus is rendered, it ends as an undisturbed run with the same poison ledger does."""

import dataclasses
import itertools
import json
import os
from pathlib import Path

import pytest
from fake_farm import SETTINGS, events, fake_job, models, shard_bytes
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.storage import store as store_module
from vosforge.datagen.storage.folder_store import FolderStore
from vosforge.datagen.storage.store import open_store
from vosforge.datagen.verify.corpus import verify
from vosforge.render.jobs.corpus import render_corpus
from vosforge.render.jobs.poison import changed_clips

LOCAL = FarmSettings(executor="local")


@pytest.fixture(autouse=True)
def rules(tmp_path, monkeypatch):
    """Write the rules that the fake workers obey; they inherit the environment."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    path = tmp_path / "rules" / "rules.json"
    path.parent.mkdir()
    monkeypatch.setenv("FAKE_WORKER_RULES", str(path))

    def write(*rules: dict) -> None:
        for mark in path.parent.glob("rule-*"):
            mark.unlink()
        path.write_text(json.dumps(rules))

    write()
    return write


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return models(tmp_path_factory.mktemp("assets") / "models")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, pool):
    """The shards of a run in which nothing failed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        root = tmp_path_factory.mktemp("undisturbed") / "corpus"
        report = render_corpus(fake_job(root, pool), LOCAL)
    assert (report.made, report.missing, report.poisoned) == (6, {}, {})
    return shard_bytes(root)


def first_shards(shards: dict[str, bytes], count: int) -> dict[str, bytes]:
    """Those of a shorter corpus: a clip depends on its index alone, not on how many there are."""
    return dict(sorted(shards.items())[:count])


def model_of_some_clips(job) -> str:
    """A model that some clips show and others do not."""
    shown = [{entry.model.name for entry in job.draw(index, 0).objects} for index in range(job.num_clips)]
    return next(name for name in sorted(set.union(*shown)) if 1 < sum(name in names for names in shown) < len(shown))


def test_no_folder_is_listed_while_clips_come_in(tmp_path, pool, monkeypatch):
    listed, seen, sizes = [], [], FolderStore.sizes
    monkeypatch.setattr(FolderStore, "sizes", lambda store, folder: listed.append(folder) or sizes(store, folder))
    job = fake_job(tmp_path / "corpus", pool, num_clips=3)
    render_corpus(job, LOCAL, on_clip=lambda _is_made: seen.append((len(listed), len(shard_names(job.root)))))
    assert [shards for _, shards in seen] == [0, 1, 2], "a shard appears with its last clip"
    assert len({listings for listings, _ in seen}) == 1


def shard_names(root: str) -> list[str]:
    """The tars of the shards of a corpus folder."""
    return [name for name in os.listdir(f"{root}/shards") if name.endswith(".tar")]


def test_a_crash_by_chance_is_repeated_and_changes_nothing(tmp_path, pool, undisturbed, rules):
    rules({"key": "fake-000001", "do": "segfault", "times": 1})
    report = render_corpus(fake_job(tmp_path / "corpus", pool, num_clips=2), LOCAL)
    assert (report.made, report.missing, report.poisoned) == (2, {}, {})
    assert shard_bytes(tmp_path / "corpus") == first_shards(undisturbed, 1)


@pytest.mark.parametrize("deed", ["segfault", pytest.param("fail", marks=pytest.mark.slow)])
def test_a_model_that_breaks_blender_is_poisoned_and_its_clips_are_drawn_without_it(tmp_path, pool, rules, deed):
    job = fake_job(tmp_path / "found", pool)
    culprit = model_of_some_clips(job)
    rules({"asset": culprit, "do": deed, "kind": "asset"})
    report = render_corpus(job, LOCAL)
    assert report.missing == {} and list(report.poisoned) == [culprit]
    row = next(line for line in (tmp_path / "found/assets.csv").read_text().splitlines() if line.startswith(culprit))
    assert ",quarantined," in row and report.poisoned[culprit] in row
    corpus = Corpus.open(tmp_path / "found")
    shown = {entry["asset"] for clip in corpus.clips for entry in corpus.metadata(clip.key)["objects"]}
    assert culprit not in shown and len(shown) == 6, "the other models are still dealt"

    known = fake_job(tmp_path / "known", pool, poison=report.poisoned)
    rules()
    assert render_corpus(known, LOCAL).missing == {}
    assert shard_bytes(tmp_path / "known") == shard_bytes(tmp_path / "found")
    assert events(tmp_path / "known", "clip again") == [], "knowing the ledger, it was made in one go"


def test_clips_made_before_their_model_was_poisoned_are_made_again_within_the_run(tmp_path, pool, rules):
    root = tmp_path / "corpus"
    job = fake_job(root, pool)
    culprit = model_of_some_clips(job)
    rules({"asset": culprit, "do": "fail", "kind": "asset", "skip": 1})
    report = render_corpus(job, LOCAL)
    assert (report.made, report.missing, list(report.poisoned)) == (6, {}, [culprit])
    reasons = [event["reason"] for event in events(root, "clip again")]
    assert reasons == [f"drawn with {culprit}", "drawn before an asset was poisoned"]
    rules()
    render_corpus(fake_job(tmp_path / "known", pool, poison=report.poisoned), LOCAL)
    assert shard_bytes(root) == shard_bytes(tmp_path / "known")
    assert verify(root) == []


def test_a_finished_corpus_takes_a_ledger_that_is_given_later(tmp_path, pool, undisturbed):
    root = tmp_path / "corpus"
    culprit = model_of_some_clips(fake_job(root, pool))
    render_corpus(fake_job(root, pool), LOCAL)
    assert shard_bytes(root) == undisturbed
    report = render_corpus(fake_job(root, pool, poison={culprit: "by hand"}), LOCAL)
    assert 1 <= report.made < 6 and report.made + report.already_there == 6
    render_corpus(fake_job(tmp_path / "known", pool, poison={culprit: "by hand"}), LOCAL)
    assert shard_bytes(root) == shard_bytes(tmp_path / "known")
    assert verify(root) == []


def test_an_innocent_scene_that_keeps_crashing_is_named_and_made_by_the_next_run(tmp_path, pool, undisturbed, rules):
    root = tmp_path / "corpus"
    job = fake_job(root, pool, num_clips=2, clip_retries=0)
    rules({"key": "fake-000001", "do": "segfault", "times": 2})
    report = render_corpus(job, LOCAL)
    assert list(report.missing) == ["fake-000001"] and report.poisoned == {}
    assert "SIGSEGV" in report.missing["fake-000001"]
    assert (root / "journal/logs/fake-000001.log").exists()
    rules()
    report = render_corpus(job, LOCAL)
    assert (report.made, report.already_there, report.missing) == (1, 1, {})
    assert shard_bytes(root) == first_shards(undisturbed, 1)


def test_a_clip_that_crashes_on_one_node_is_handed_out_again(tmp_path, pool, undisturbed, rules):
    rules({"key": "fake-000001", "do": "segfault", "times": 2})
    report = render_corpus(fake_job(tmp_path / "corpus", pool, num_clips=2), LOCAL)
    assert report.missing == {} and shard_bytes(tmp_path / "corpus") == first_shards(undisturbed, 1)
    assert [event["key"] for event in events(tmp_path / "corpus", "clip again")] == ["fake-000001"]


def test_a_hanging_model_is_found_within_its_limits(tmp_path, pool, rules):
    job = fake_job(tmp_path / "corpus", pool, num_clips=2, clip_limit_seconds=4.0, asset_limit_seconds=2.0)
    culprit = job.draw(1, 0).objects[0].model.name
    rules({"asset": culprit, "do": "hang"})
    report = render_corpus(job, LOCAL)
    assert report.missing == {} and list(report.poisoned) == [culprit]
    assert report.poisoned[culprit].startswith("timeout: no end after 2 s")


def test_a_node_that_breaks_everything_blames_no_asset(tmp_path, pool, rules):
    job = fake_job(tmp_path / "corpus", pool, num_clips=1, clip_retries=0)
    rules({"key": "fake-000000", "do": "print", "text": "libGL.so.1: cannot open shared object file"})
    report = render_corpus(job, LOCAL)
    assert report.poisoned == {}
    assert report.missing == {"fake-000000": "python: libGL.so.1: cannot open shared object file"}


def test_when_all_models_are_poisoned_clips_are_missing_and_the_run_ends(tmp_path, rules):
    pool = models(tmp_path / "models", count=2)
    job = fake_job(tmp_path / "corpus", pool, num_clips=2)
    rules(*[{"asset": asset.name, "do": "fail", "kind": "asset"} for asset in pool.assets])
    report = render_corpus(job, LOCAL)
    assert set(report.poisoned) == {asset.name for asset in pool.assets}
    assert len(report.missing) == 2 and all("on the poison list" in reason for reason in report.missing.values())
    made = [(0, {"attempt": 0, "assets": sorted(report.poisoned)})]
    assert changed_clips(job, made, frozenset(), frozenset(report.poisoned)) == [0]


def test_a_ledger_that_leaves_no_model_is_refused_and_takes_nothing_out(tmp_path, rules):
    pool = models(tmp_path / "models", count=2)
    job = fake_job(tmp_path / "corpus", pool, num_clips=1)
    render_corpus(job, LOCAL)
    before = shard_bytes(tmp_path / "corpus")
    poison = dict.fromkeys((asset.name for asset in pool.assets), "by hand")
    with pytest.raises(ValueError, match="on the poison list; give more, or empty the list"):
        render_corpus(dataclasses.replace(job, poison=poison), LOCAL)
    assert shard_bytes(tmp_path / "corpus") == before and (tmp_path / "corpus/index.json").exists()


def test_rejections_are_counted_by_their_class(tmp_path, pool, rules):
    job = fake_job(tmp_path / "corpus", pool, num_clips=2)
    rules({"key": "fake-000001", "do": "reject", "times": 2})
    report = render_corpus(job, LOCAL)
    assert report.rejections["object unseen"] == 2
    metadata = Corpus.open(tmp_path / "corpus").metadata("fake-000001")
    assert metadata["attempt"] >= 2 and metadata["rejections"].count("object unseen") == 2


def times(root) -> dict:
    """When each file of the corpus was written."""
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "writer.lock"]
    return {path: path.stat().st_mtime_ns for path in files}


def test_a_finished_corpus_is_left_alone(tmp_path, pool, rules):
    root = tmp_path / "corpus"
    job = fake_job(root, pool, num_clips=2)
    render_corpus(job, LOCAL)
    before = times(root)
    report = render_corpus(job, LOCAL)
    assert (report.made, report.already_there) == (0, 2)
    assert times(root) == before


def test_a_missing_device_is_refused_before_the_folder_is_made(tmp_path, pool):
    render = dataclasses.replace(SETTINGS.render, device="optix")
    job = fake_job(tmp_path / "corpus", pool, settings=dataclasses.replace(SETTINGS, render=render))
    with pytest.raises(ValueError, match="'optix' is not here"):
        render_corpus(job, LOCAL)
    assert not (tmp_path / "corpus").exists()


def test_a_node_without_the_asset_files_fails_the_clip_and_poisons_nothing(tmp_path, rules):
    pool = models(tmp_path / "models")
    job = fake_job(tmp_path / "corpus", pool, num_clips=1, child_retries=0)
    model = job.draw(0, 0).objects[0].model
    Path(model.path).unlink()
    rules({"asset": model.name, "do": "fail", "kind": "asset"})
    report = render_corpus(job, LOCAL)
    assert report.poisoned == {} and "not on this node" in report.missing["fake-000000"]


@pytest.mark.slow
def test_a_corpus_at_a_url_is_made_the_same(tmp_path, pool, undisturbed, rules):
    rules({"key": "fake-000001", "do": "segfault", "times": 1})
    root = f"file://{tmp_path}/corpus"
    assert render_corpus(fake_job(root, pool), LOCAL).missing == {}
    assert shard_bytes(root) == undisturbed
    assert open_store(root).size("index.json") is not None


def test_errors_of_the_object_store_change_nothing(pool, undisturbed, rules, s3_server, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (0.01, 0.02))
    requests = itertools.count()
    s3_server.refuse(lambda _method, _path: 503 if next(requests) % 7 == 3 else None)
    url = s3_server.url_for("clips", "with-errors")
    rules({"key": "fake-000001", "do": "segfault", "times": 1})
    assert render_corpus(fake_job(url, pool, num_clips=4), LOCAL).missing == {}
    assert shard_bytes(url) == first_shards(undisturbed, 2)


@pytest.mark.slow
def test_an_object_store_that_goes_away_ends_the_run_and_the_same_command_goes_on(
    pool, undisturbed, s3_server, monkeypatch
):
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (0.01,))
    url = s3_server.url_for("clips", "gone-for-a-while")
    s3_server.refuse(lambda method, path: 500 if method == "PUT" and "shards" in path else None)
    with pytest.raises(OSError, match="shards"):
        render_corpus(fake_job(url, pool), LOCAL)
    s3_server.serve()
    assert render_corpus(fake_job(url, pool), LOCAL).missing == {}
    assert shard_bytes(url) == undisturbed
