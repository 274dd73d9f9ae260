import contextlib
import errno
import os
import tarfile

import pytest
from vosforge.datagen.corpus.shards import DamagedFile, concatenate_tars, read_members, write_hashed_tar
from vosforge.datagen.storage.files import atomic_write, read_json, sha256_of_file, write_whole
from vosforge.datagen.storage.folder_lock import hold_lock
from vosforge.datagen.storage.store import open_store

MEMBERS = [("a.00000.jpg", b"x" * 700), ("a.00000.png", b""), ("a.json", b"{}")]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, b"old")
    with pytest.raises(KeyError), write_whole(path) as file:
        file.write(b"new and half wri")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*clip\.tar") as caught:
        write_hashed_tar(open_store(tmp_path), "clip.tar", MEMBERS)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_names_the_file(tmp_path):
    with pytest.raises(OSError, match="no/such/file"):
        atomic_write(tmp_path / "no/such/file", b"")


def test_broken_json_names_the_file(tmp_path):
    (tmp_path / "index.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"index\.json is not valid JSON"):
        read_json(tmp_path / "index.json")


def test_a_tar_is_plain_and_says_where_its_data_lies(tmp_path):
    path = tmp_path / "clip.tar"
    placed, _ = write_hashed_tar(open_store(tmp_path), "clip.tar", MEMBERS)
    content = path.read_bytes()
    assert [content[m.offset : m.offset + m.size] for m in placed] == [content for _, content in MEMBERS]
    with tarfile.open(path) as archive:
        headers = archive.getmembers()
    assert [(h.name, h.offset_data, h.size) for h in headers] == [tuple(m) for m in placed]
    assert {(h.mtime, h.uid, h.gid, h.uname, h.gname, h.mode) for h in headers} == {(0, 0, 0, "", "", 0o644)}
    assert read_members(content) == MEMBERS


def test_the_same_members_give_the_same_bytes(tmp_path):
    _, first = write_hashed_tar(open_store(tmp_path), "a.tar", MEMBERS)
    os.utime(tmp_path / "a.tar", (1, 1))
    _, second = write_hashed_tar(open_store(tmp_path), "b.tar", iter(MEMBERS))
    assert first["sha256"] == second["sha256"] == sha256_of_file(tmp_path / "b.tar")


def part(folder, name: str, members) -> tuple:
    placed, record = write_hashed_tar(open_store(folder), f"{name}.tar", members)
    return f"{name}.tar", record | {"key": name, "offset": 0, "members": [list(m) for m in placed]}


def test_joined_tars_equal_one_tar_of_all_members(tmp_path):
    other = [("b.00000.jpg", b"y" * 512), ("b.json", b"[1]")]
    parts = [part(tmp_path, "a", MEMBERS), part(tmp_path, "b", other)]
    manifest = concatenate_tars(open_store(tmp_path), "both.tar", parts)
    placed, record = write_hashed_tar(open_store(tmp_path), "expected.tar", MEMBERS + other)
    assert manifest["sha256"] == record["sha256"] and manifest["bytes"] == record["bytes"]
    assert [m for clip in manifest["clips"] for m in clip["members"]] == [list(m) for m in placed]


def test_a_part_that_changed_is_named_and_no_shard_appears(tmp_path):
    name, record = part(tmp_path, "a", MEMBERS)
    content = bytearray((tmp_path / name).read_bytes())
    content[600] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedFile, match=r"a\.tar changed"):
        concatenate_tars(open_store(tmp_path), "shard.tar", [(name, record)])
    assert not (tmp_path / "shard.tar").exists()


def test_a_name_that_does_not_fit_the_header_is_refused(tmp_path):
    with pytest.raises(ValueError, match="100 bytes"):
        write_hashed_tar(open_store(tmp_path), "a.tar", [("k" * 101, b"")])
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_once_until_it_is_closed(tmp_path):
    held = hold_lock(tmp_path / "lock", ValueError("taken"))
    with pytest.raises(ValueError, match="taken"):
        hold_lock(tmp_path / "lock", ValueError("taken"))
    held.close()
    hold_lock(tmp_path / "lock", ValueError("taken")).close()


def test_a_forked_process_that_lives_on_holds_no_lock(tmp_path):
    held = hold_lock(tmp_path / "lock", ValueError("taken"))
    forked, ended = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ended[1])
        os.write(forked[1], b"x")
        os.read(ended[0], 1)
        os._exit(0)
    try:
        os.read(forked[0], 1)
        with pytest.raises(ValueError, match="taken"):
            hold_lock(tmp_path / "lock", ValueError("taken"))
        held.close()
        hold_lock(tmp_path / "lock", ValueError("taken")).close()
    finally:
        os.close(ended[1])
        assert os.waitpid(child, 0)[1] == 0
        for descriptor in (*forked, ended[0]):
            os.close(descriptor)


@pytest.mark.parametrize(("number", "is_borne"), [(errno.ENOLCK, True), (errno.EOPNOTSUPP, True), (errno.EIO, False)])
def test_a_file_system_without_locks_is_borne(tmp_path, monkeypatch, number, is_borne):
    def refuse(*_arguments):
        raise OSError(number, "no locks")

    monkeypatch.setattr("vosforge.datagen.storage.folder_lock.fcntl.flock", refuse)
    with contextlib.nullcontext() if is_borne else pytest.raises(OSError, match="no locks"):
        hold_lock(tmp_path / "lock", ValueError("taken")).close()
