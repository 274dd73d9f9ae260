import errno
import os
import pickle
import secrets
from pathlib import Path

import pytest
from vosforge.datagen.storage import store as store_module
from vosforge.datagen.storage.store import corpus_location, open_store
from vosforge.datagen.writing.journal import Journal, read_journal


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request, tmp_path):
    if request.param == "folder":
        return open_store(tmp_path)
    pytest.importorskip("fsspec", reason="needs the extra s3")
    if request.param == "memory":
        return open_store(f"memory://{secrets.token_hex(4)}/corpus")
    server = request.getfixturevalue("s3_server")
    return open_store(server.url_for("store", f"{secrets.token_hex(4)}/corpus"))


@pytest.fixture
def s3_store(s3_server, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (0.01, 0.01))
    return open_store(s3_server.url_for("store", f"{secrets.token_hex(4)}/corpus"))


def test_what_is_written_is_read(store):
    store.write_bytes("parts/a.tar", b"0123456789")
    with store.write_file("parts/b.tar") as file:
        file.write(b"ab")
        file.write(b"cd")
    assert store.read_bytes("parts/a.tar") == b"0123456789"
    assert store.read_range("parts/a.tar", 2, 3) == b"234"
    assert store.read_range("parts/a.tar", 8, 9) == b"89" and store.read_range("parts/a.tar", 20, 1) == b""
    assert store.read_range("parts/a.tar", 3, 0) == b""
    assert store.read_many(["parts/b.tar", "parts/a.tar"]) == [b"abcd", b"0123456789"]
    with store.open_read("parts/b.tar") as file:
        assert (file.read(3), file.read(), file.read()) == (b"abc", b"d", b"")
    assert store.size("parts/a.tar") == 10 and store.size("parts") is None and store.size("parts/c.tar") is None
    store.write_bytes("parts/a.tar", b"new")
    assert store.read_bytes("parts/a.tar") == b"new"


def test_listings_are_of_one_folder_and_always_fresh(store):
    assert store.names("parts") == [] and store.names("") == [] and store.folders("") == []
    for name in ("parts/b", "parts/a", "index.json", "journal/logs/x.log"):
        store.write_bytes(name, name.encode())
    assert store.sizes("parts") == {"a": 7, "b": 7} and store.names("journal") == []
    assert store.names("") == ["index.json"] and store.folders("") == ["journal", "parts"]
    open_store(store.location).write_bytes("parts/c", b"")
    assert store.names("parts") == ["a", "b", "c"]
    store.remove("parts/a", "parts/none", "parts/c")
    assert store.names("parts") == ["b"] and store.size("parts/c") is None


def test_what_is_not_there_is_named(store):
    for read in (store.read_bytes, store.open_read, lambda name: store.read_range(name, 0, 5)):
        with pytest.raises(FileNotFoundError, match="no/such"):
            read("no/such")
    store.write_bytes("a.json", b"{")
    with pytest.raises(ValueError, match=r"corpus/a\.json is not valid JSON|a\.json is not valid JSON"):
        store.read_json("a.json")


def test_an_exception_while_writing_leaves_nothing(store):
    store.write_bytes("old", b"old")
    for name in ("old", "new"):
        with pytest.raises(KeyError), store.write_file(name) as file:
            file.write(b"x" * 100_000)
            raise KeyError
    assert store.names("") == ["old"] and store.read_bytes("old") == b"old"


def test_a_store_is_pickled_and_used_after_a_fork(store):
    store.write_bytes("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read_bytes("a") == b"1"
    child = os.fork()
    if child == 0:
        try:
            store.write_bytes("b", b"2")
            os._exit(0 if store.read_bytes("a") == b"1" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    if not store.url.startswith("memory"):
        assert store.read_bytes("b") == b"2"


def test_the_journal_of_several_runs_is_read_in_their_order(store, monkeypatch):
    monkeypatch.setattr("vosforge.datagen.writing.journal.BATCH_EVENTS", 3)
    monkeypatch.setattr("vosforge.datagen.writing.journal.OBJECT_BYTES", 200)
    store.write_bytes("journal/corpus.json", b"{}")
    first = Journal(store)
    for number in range(7):
        first.append({"number": number})
    assert [event["number"] for event in read_journal(store)][:6] == list(range(6))
    first.flush()
    monkeypatch.setattr("time.gmtime", lambda: (2099, 1, 1, 0, 0, 0, 0, 1, 0))
    second = Journal(store)
    second.append({"number": 7})
    second.flush()
    assert [event["number"] for event in read_journal(store)] == list(range(8))
    name = store.names("journal")[-1]
    store.write_bytes(f"journal/{name}", store.read_bytes(f"journal/{name}") + b'{"number": 8, "cu')
    assert [event["number"] for event in read_journal(store)] == list(range(8))


def test_a_place_is_a_folder_or_a_url():
    assert corpus_location("a/b") == Path("a/b") and corpus_location("s3://a/b/") == "s3://a/b"
    assert corpus_location("file:///a/b") == Path("/a/b")
    assert open_store("a/b").local_path("c") == Path("a/b/c") and open_store("memory://x").local_path("c") is None
    with pytest.raises(ValueError, match="lost a slash"):
        open_store(Path("s3://bucket/prefix"))
    with pytest.raises(ValueError, match="Protocol not known: nonsense"):
        open_store("nonsense://x").read_bytes("a")


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(OSError, match="gone"):
        open_store(tmp_path / "gone").write_bytes("parts/a", b"")
    assert list(tmp_path.iterdir()) == []


# ---- a server that fails


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_for_a_while_is_asked_again(s3_store, s3_server, monkeypatch, status):
    # Reading takes two requests, each of which is refused twice.
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (0.01,) * 4)
    left = {"GET": 2, "PUT": 2, "HEAD": 2, "DELETE": 2}

    def decide(method, _path):
        left[method] -= 1
        return status if left[method] >= 0 else None

    s3_server.refuse(decide)
    s3_store.write_bytes("a", b"1")
    assert s3_store.read_bytes("a") == b"1" and s3_store.names("") == ["a"] and s3_store.size("a") == 1
    s3_store.remove("a")
    assert s3_store.names("") == []
    assert all(count < 0 for count in left.values()), "every kind of request was refused at first"


def test_a_server_that_stays_broken_is_an_error_that_says_what_to_do(s3_store, s3_server):
    s3_server.refuse(lambda method, path: 500)
    for action in (lambda: s3_store.write_bytes("a", b"1"), lambda: s3_store.names(""), lambda: s3_store.size("a")):
        with pytest.raises(OSError, match=r"3 tries failed.*run the same command again.*s3://store/") as caught:
            action()
        assert "\n" not in str(caught.value)
    s3_server.serve()
    assert s3_store.names("") == []


@pytest.fixture
def fresh_connections(s3_server):
    """Clients are shared within a process; here they are made anew, with the environment of the test."""
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_refused_connection_is_tried_again_and_then_named(s3_store, fresh_connections, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"3 tries failed.*127\.0\.0\.1:9.*s3://store/"):
        open_store(s3_store.location + "/elsewhere").write_bytes("a", b"1")


def test_missing_rights_or_bucket_are_told_at_once(s3_store, s3_server, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (1000.0,))
    with pytest.raises(OSError, match=r"bucket does not exist; create the bucket.*s3://nobody/x/a"):
        open_store("s3://nobody/x").write_bytes("a", b"")
    s3_server.refuse(lambda method, path: 403)
    with pytest.raises(PermissionError, match=r"check the credentials.*s3://store/"):
        s3_store.write_bytes("a", b"1")


def test_missing_credentials_are_told_at_once(fresh_connections, monkeypatch):
    monkeypatch.setattr(store_module, "RETRY_SECONDS", (1000.0,))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(OSError, match=r"(?i)credentials.*check the credentials.*s3://store/nobody/a"):
        open_store("s3://store/nobody").write_bytes("a", b"1")


@pytest.mark.slow
def test_a_large_upload_that_breaks_off_leaves_no_object(s3_store, s3_server, monkeypatch):
    # s3fs sends a file above twice 50 MB in parts.
    def decide(method, _path):
        return 500 if method == "PUT" and sum(request.startswith("PUT") for request in s3_server.requests) > 1 else None

    s3_server.serve()
    s3_server.refuse(decide)
    with pytest.raises(OSError, match="3 tries failed"), s3_store.write_file("big.tar") as file:
        file.truncate(101 << 20)
    s3_server.serve()
    assert s3_store.names("") == [] and s3_store.size("big.tar") is None
    with s3_store.write_file("big.tar") as file:
        file.truncate(101 << 20)
    assert s3_store.size("big.tar") == 101 << 20
    s3_store.remove("big.tar")


def test_a_full_temporary_folder_is_named(s3_store, monkeypatch):
    with pytest.raises(OSError, match=r"set TMPDIR.*s3://store/.*/a\.tar") as caught, s3_store.write_file("a.tar"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert s3_store.names("") == []
