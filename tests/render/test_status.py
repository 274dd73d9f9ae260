"""The status is read from manifests and journal alone, at any moment of a run."""

import json

import pytest
from vosforge.datagen.writing.writer import CorpusWriter
from vosforge.render.commands.status import Status, run
from vosforge.render.operations.status import StatusReader


@pytest.fixture
def half(tiny_world, tmp_path):
    """A corpus of 6 clips of 8 frames, of which 3 are done: one shard of two clips, and a part."""
    root = tmp_path / "corpus"
    writer = CorpusWriter(root, tiny_world.description())
    for index in (0, 1, 2):
        tiny_world.commit(root, index)
        writer.assemble_ready()
    writer.close()
    made = {"event": "clip", "wall_seconds": 180.0, "device": "cpu"}
    failed = {"event": "clip failed"}
    redrawn = [["no clear path", "object 1"], ["black frame", "frame 3"]]
    events = [
        {"time": 1000.0, **made, "key": "tiny-000000", "host": "a", "rejections": []},
        {"time": 1100.0, **failed, "key": "tiny-000002", "kind": "crash", "reason": "crash: SIGSEGV"},
        {"time": 1180.0, **made, "key": "tiny-000001", "host": "b", "rejections": redrawn},
        {"time": 1300.0, **failed, "key": "tiny-000004", "kind": "timeout", "reason": "timeout: 60 s"},
        {"time": 1360.0, **made, "key": "tiny-000002", "host": "b", "rejections": redrawn[:1]},
    ]
    (root / "journal/events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + '{"time": 14')
    return root


def test_a_half_made_corpus_is_counted(half):
    found = StatusReader(str(half), clock=lambda: 1400.0).read()
    assert (found.clips_done, found.clips_total) == (3, 6)
    assert (found.shards_done, found.shards_total, found.parts) == (1, 3, 1)
    assert found.frames == 24
    tars = [*half.glob("shards/*.tar"), *half.glob("parts/*.tar")]
    assert found.bytes == sum(path.stat().st_size for path in tars)
    assert not found.is_finished and found.age_seconds == pytest.approx(40.0)


def test_the_journal_gives_rate_rest_reasons_and_places(half):
    found = StatusReader(str(half), clock=lambda: 1400.0).read()
    assert found.rate_clips_per_hour == pytest.approx(3 * 3600 / 540)
    assert found.eta_seconds == pytest.approx(3 * 180)
    assert found.rejections == {"no clear path": 2, "black frame": 1}
    assert found.failures == {"crash": 1, "timeout": 1}
    assert found.missing == {"tiny-000004": "timeout: 60 s"}, "a clip that failed and came later is not missing"
    assert found.hosts == {"b": 2, "a": 1} and found.devices == {"cpu": 3}


def test_poisoned_assets_are_listed(half):
    (half / "journal/poison.json").write_text(json.dumps({"models/bad.obj": "crash: SIGSEGV"}))
    assert StatusReader(str(half)).read().poison == {"models/bad.obj": "crash: SIGSEGV"}


def test_looking_again_sees_what_came_since(half, tiny_world):
    reader = StatusReader(str(half))
    assert reader.read().clips_done == 3
    tiny_world.commit(half, 3)
    assert (reader.read().clips_done, reader.read().parts) == (4, 2)
    writer = CorpusWriter(half, tiny_world.description())
    writer.assemble_ready()
    writer.close()
    found = reader.read()
    assert (found.clips_done, found.shards_done, found.parts) == (4, 2, 0)


def test_a_finished_corpus_says_so(tiny_corpus):
    found = StatusReader(str(tiny_corpus)).read()
    assert found.is_finished and found.clips_done == found.clips_total == 6
    assert found.eta_seconds is None and found.rate_clips_per_hour == 0.0


def test_clips_to_redo_keep_a_corpus_from_being_finished(tiny_corpus):
    (tiny_corpus / "journal/redo.json").write_text('["tiny-000003"]')
    found = StatusReader(str(tiny_corpus)).read()
    assert found.clips_done == found.clips_total and not found.is_finished and found.redo == ["tiny-000003"]
    assert run(Status(dir=str(tiny_corpus))) == 1


def test_looking_changes_nothing(half):
    def listing():
        return {path: path.stat().st_mtime_ns for path in half.rglob("*")}

    before = listing()
    StatusReader(str(half)).read()
    assert listing() == before


def test_a_folder_without_a_corpus_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no corpus"):
        StatusReader(str(tmp_path))


def test_a_corpus_behind_a_url_is_read_the_same(half, tiny_world):
    pytest.importorskip("fsspec", reason="fsspec is not installed (the s3 extra)")
    import fsspec

    files = fsspec.filesystem("memory")
    files.put(str(half) + "/", "/status-test/", recursive=True)
    found, behind_url = (StatusReader(root, lambda: 1400.0).read() for root in (str(half), "memory://status-test"))
    assert behind_url == found
