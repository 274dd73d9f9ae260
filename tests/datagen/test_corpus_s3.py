"""A corpus in an object store: the same bytes as in a folder, whatever happens on the way."""

import errno
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vosforge.datagen.cli import main
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.imaging.preview import contact_sheet
from vosforge.datagen.storage import store as store_module
from vosforge.datagen.storage.store import open_store
from vosforge.datagen.verify.corpus import verify
from vosforge.datagen.writing.journal import read_journal
from vosforge.datagen.writing.writer import CorpusMismatch, CorpusWriter

PASSES = ("depth", "flow")
NUM_CLIPS = 3


@pytest.fixture(scope="module")
def in_a_folder(tmp_path_factory, tiny_world):
    """The corpus that every run here must end with; not to be changed."""
    return tiny_world.write(tmp_path_factory.mktemp("whole") / "corpus", passes=PASSES, num_clips=NUM_CLIPS)


@pytest.fixture
def url(s3_server, monkeypatch) -> str:
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (0.01,))
    return s3_server.url_for("corpora", secrets.token_hex(4))


def run(place, tiny_world) -> None:
    """The command that makes the corpus: what is done stays, the rest is made."""
    writer = CorpusWriter(place, tiny_world.description(num_clips=NUM_CLIPS))
    try:
        for index in writer.waiting():
            tiny_world.commit(place, index, PASSES)
            writer.journal({"event": "clip", "index": index})
            writer.assemble_ready()
        row = {"asset": "disc-1", "kind": "model", "status": "used", "licence": "CC0", "source": "tests"}
        writer.write_assets([row])
        writer.finish()
    finally:
        writer.close()


def assert_equal_bytes(url: str, folder: Path) -> None:
    store = open_store(url)
    names = [f"shards/{path.name}" for path in sorted((folder / "shards").iterdir())]
    names += ["index.json", "README.md", "preview.jpg", "assets.csv", "journal/corpus.json"]
    assert [f"shards/{name}" for name in store.names("shards")] == names[: -5 or None]
    for name in names:
        assert store.read_bytes(name) == (folder / name).read_bytes(), name
    assert store.names("parts") == []


def test_a_corpus_in_an_object_store_is_byte_for_byte_that_of_a_folder(url, tiny_world, in_a_folder):
    run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)
    assert verify(url) == []
    assert [event["index"] for event in read_journal(open_store(url))] == [0, 1, 2]
    run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)


def test_it_is_read_like_a_folder_and_a_frame_is_one_request(url, tiny_world, in_a_folder, s3_server, tmp_path, capsys):
    run(url, tiny_world)
    corpus, folder = Corpus.open(url), Corpus.open(in_a_folder)
    assert corpus.root == url and corpus.index == folder.index
    corpus.read_frame("tiny-000002", 0)  # the first frame of a shard brings its manifest
    s3_server.serve()
    for remote, local in zip(corpus.read_frame("tiny-000002", 5), folder.read_frame("tiny-000002", 5), strict=True):
        assert np.array_equal(remote, local)
    assert len(s3_server.requests) == 1
    flow, expected = (place.read_pass("tiny-000001", 3, "flow_forward") for place in (corpus, folder))
    assert np.array_equal(flow[0], expected[0]) and corpus.metadata("tiny-000000") == folder.metadata("tiny-000000")
    assert np.array_equal(contact_sheet(corpus), contact_sheet(folder))
    for arguments, answer in ((["verify", url], "3 clips, 24 frames"), (["preview", url, "--out"], "sheet.jpg")):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *([str(tmp_path / "sheet.jpg")] if "preview" in arguments else [])])
        assert ended.value.code == 0 and answer in capsys.readouterr().out


def test_it_streams(url, tiny_world, in_a_folder):
    pytest.importorskip("webdataset", reason="needs the extra stream")
    from vosforge.datagen.corpus.stream import stream_clips

    run(url, tiny_world)
    remote, local = list(stream_clips(url, "all")), list(stream_clips(in_a_folder, "all"))
    assert [clip.members for clip in remote] == [clip.members for clip in local] and len(remote) == NUM_CLIPS


def test_clips_committed_before_a_stop_are_not_made_again(url, tiny_world, in_a_folder):
    writer = CorpusWriter(url, tiny_world.description(num_clips=NUM_CLIPS))
    tiny_world.commit(url, 1, PASSES)
    with pytest.raises(NotACorpus, match="not finished"):
        Corpus.open(url)
    with pytest.raises(ValueError, match="2 clips of s3://corpora/"):
        writer.finish()
    again = CorpusWriter(url, tiny_world.description(num_clips=NUM_CLIPS))
    assert again.waiting() == [0, 2] and again.done(1)
    run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)


def test_another_corpus_or_foreign_objects_are_refused(url, tiny_world, s3_server):
    CorpusWriter(url, tiny_world.description()).close()
    with pytest.raises(CorpusMismatch, match=r"s3://corpora/.* holds another corpus: seed is 5, asked for 6"):
        CorpusWriter(url, tiny_world.description(seed=6))
    for name in ("thesis.tex", "shards/mine.tar", "other/thesis.tex"):
        place = s3_server.url_for("corpora", secrets.token_hex(4))
        open_store(place).write_bytes(name, b"years of work")
        with pytest.raises(CorpusMismatch, match="is not empty"):
            CorpusWriter(place, tiny_world.description())
    with pytest.raises(NotACorpus, match=r"s3://corpora/nothing is not a corpus"):
        Corpus.open("s3://corpora/nothing")


def test_damaged_objects_are_found(url, tiny_world):
    run(url, tiny_world)
    store = open_store(url)
    content = bytearray(store.read_bytes("shards/clips-00000.tar"))
    content[700] ^= 1
    store.write_bytes("shards/clips-00000.tar", bytes(content))
    store.write_bytes("shards/clips-00001.depth.tar", b"short")
    store.remove("shards/clips-00001.json")
    found = "\n".join(str(problem) for problem in verify(url))
    assert "clips-00000.tar: its SHA-256" in found and "clips-00001.json: is missing" in found
    with pytest.raises(ValueError, match=r"clips-00001\.depth\.tar has 5 bytes"):
        Corpus.open(url)
    store.remove("shards/clips-00000.json")
    run(url, tiny_world)
    assert verify(url) == []


def test_a_damaged_part_is_named_and_made_again(url, tiny_world, in_a_folder):
    writer = CorpusWriter(url, tiny_world.description(num_clips=NUM_CLIPS))
    tiny_world.commit(url, 2, PASSES)
    content = bytearray(writer.store.read_bytes("parts/tiny-000002.flow.tar"))
    content[600] ^= 1
    writer.store.write_bytes("parts/tiny-000002.flow.tar", bytes(content))
    with pytest.raises(ValueError, match=r"s3://corpora/.*flow\.tar changed .* run the same command again"):
        writer.assemble_ready()
    assert not writer.done(2) and "clips-00001.json" not in writer.store.names("shards")
    run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)


SLOW_KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("clips-00001.tar", "clips-00000.json", "parts/")]


@pytest.mark.parametrize("kind", ["clips-00001.flow.tar", "index.json", *SLOW_KINDS])
def test_a_store_that_breaks_leaves_nothing_that_looks_whole(url, tiny_world, in_a_folder, s3_server, kind):
    s3_server.refuse(lambda method, path: 500 if method == "PUT" and kind in path else None)
    with pytest.raises(OSError, match=r"tries failed.*run the same command again.*s3://corpora/"):
        run(url, tiny_world)
    s3_server.serve()
    with pytest.raises(NotACorpus, match="not finished"):
        Corpus.open(url)
    run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)


def test_a_store_that_stumbles_is_not_noticed(url, tiny_world, in_a_folder, s3_server):
    seen: set[tuple[str, str]] = set()

    def decide(method, path):
        is_new = (method, path) not in seen
        seen.add((method, path))
        return 503 if is_new and len(seen) % 3 == 0 else None

    s3_server.refuse(decide)
    run(url, tiny_world)
    s3_server.serve()
    assert_equal_bytes(url, in_a_folder)


# ---- killed


def run_killed_at(request: int, url: str, s3_server) -> bool:
    """Run the corpus in a process that gets SIGKILL when it makes that changing request, before or after it counts."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; from conftest import TinyWorld; from test_corpus_s3 import run\n"
        "run(sys.argv[3], TinyWorld())"
    )
    here = Path(__file__).parent
    child = subprocess.Popen([sys.executable, "-c", code, str(here.parent), str(here), url], stderr=subprocess.PIPE)
    left = request

    def decide(method, _path):
        nonlocal left
        left -= method in ("PUT", "POST", "DELETE")
        if left < 0:
            child.kill()
            return 500 if request % 2 else None
        return None

    s3_server.refuse(decide)
    errors = child.communicate()[1].decode()
    s3_server.serve()
    assert child.returncode in (0, -9), errors
    return child.returncode == -9


def check_kill(request: int, url: str, tiny_world, in_a_folder, s3_server) -> bool:
    was_killed = run_killed_at(request, url, s3_server)
    if was_killed:
        try:
            Corpus.open(url)
            assert verify(url) == [], "only the index, the very last, makes it a corpus"
        except NotACorpus:
            pass
        run(url, tiny_world)
    assert_equal_bytes(url, in_a_folder)
    return was_killed


@pytest.mark.parametrize("request_number", [pytest.param(7, marks=pytest.mark.slow), 18])
def test_killed_half_way_the_same_command_completes(url, tiny_world, in_a_folder, s3_server, request_number):
    assert check_kill(request_number, url, tiny_world, in_a_folder, s3_server)


@pytest.mark.slow
def test_killed_at_any_request_the_same_command_completes(url, tiny_world, in_a_folder, s3_server):
    for request in range(0, 100, 3):  # odd and even: the request is lost, or done without an answer
        if not check_kill(request, f"{url}/{request}", tiny_world, in_a_folder, s3_server):
            break
    assert request > 25


# ---- a full disk


def test_a_full_disk_leaves_nothing_and_the_same_command_completes(tmp_path, tiny_world, in_a_folder, monkeypatch):
    left, fsync = 0, os.fsync

    def sometimes_full(descriptor):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sometimes_full)
    for room in (0, 5, 13, 30):
        left = room
        with pytest.raises(OSError, match=r"No space left on device.*/corpus/") as caught:
            run(tmp_path / "corpus", tiny_world)
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(NotACorpus):
            Corpus.open(tmp_path / "corpus")
        assert not [path for path in (tmp_path / "corpus").rglob("*") if ".tmp-" in path.name]
    left = 10_000
    run(tmp_path / "corpus", tiny_world)
    for path in (in_a_folder / "shards").iterdir():
        assert (tmp_path / "corpus/shards" / path.name).read_bytes() == path.read_bytes()
    assert json.loads((tmp_path / "corpus/index.json").read_text()) == json.loads(
        (in_a_folder / "index.json").read_text()
    )
