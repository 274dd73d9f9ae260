import json
import os
import pickle

import numpy as np
import pytest
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.imaging.images import decode_ids, decode_jpeg


def test_every_frame_is_the_one_that_was_written(tiny_corpus, tiny_world):
    corpus = Corpus.open(tiny_corpus)
    for clip in corpus.clips:
        members = dict(tiny_world.clip_members(clip.index))
        for t in range(clip.num_frames):
            rgb, ids = corpus.read_frame(clip.key, t)
            assert np.array_equal(rgb, decode_jpeg(members[f"{clip.key}.{t:05d}.jpg"]))
            assert np.array_equal(ids, decode_ids(members[f"{clip.key}.{t:05d}.png"]))
            assert corpus.read_jpeg(clip.key, t) == members[f"{clip.key}.{t:05d}.jpg"]
            assert corpus.read_ids_png(clip.key, t) == members[f"{clip.key}.{t:05d}.png"]
            assert np.array_equal(corpus.read_rgb(clip.key, t), rgb)
            assert np.array_equal(corpus.read_ids(clip.key, t), ids)
        assert corpus.metadata(clip.key) == json.loads(members[f"{clip.key}.json"])


def test_a_frame_with_its_ids_is_one_read(tiny_corpus, monkeypatch):
    corpus, reads = Corpus.open(tiny_corpus), []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *arguments: reads.append(arguments) or pread(*arguments))
    corpus.read_frame("tiny-000003", 5)
    assert len(reads) == 1


def test_splits_and_entries(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    assert [clip.index for clip in corpus.split("train")] == [0, 1, 3, 4]
    assert [clip.key for clip in corpus.split("val")] == ["tiny-000002", "tiny-000005"]
    assert len(corpus.split("all")) == 6
    clip = corpus.clip("tiny-000001")
    assert (clip.width, clip.height, clip.num_frames, clip.object_ids) == (96, 64, 8, (1, 2, 3))
    with pytest.raises(ValueError, match="'test'"):
        corpus.split("test")


def test_unknown_clips_and_frames_are_named(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    with pytest.raises(ValueError, match="no clip 'tiny-000006'"):
        corpus.read_frame("tiny-000006", 0)
    for t in (-1, 8):
        with pytest.raises(ValueError, match=f"no frame {t}; its frames are 0 to 7"):
            corpus.read_frame("tiny-000000", t)


def test_what_is_not_a_corpus_is_refused_in_one_line(tmp_path, tiny_corpus):
    with pytest.raises(NotACorpus, match="is not a folder"):
        Corpus.open(tmp_path / "nothing")
    with pytest.raises(NotACorpus, match="is not a corpus"):
        Corpus.open(tmp_path)
    index = json.loads((tiny_corpus / "index.json").read_text())
    (tiny_corpus / "index.json").write_text(json.dumps(index | {"schema": 99}))
    with pytest.raises(NotACorpus, match="schema 99"):
        Corpus.open(tiny_corpus)


def test_a_truncated_or_missing_shard_is_named(tiny_corpus):
    shard = tiny_corpus / "shards/clips-00001.tar"
    opened_before = Corpus.open(tiny_corpus)
    os.truncate(shard, 5000)
    with pytest.raises(ValueError, match=r"clips-00001\.tar has 5000 bytes"):
        Corpus.open(tiny_corpus)
    with pytest.raises(ValueError, match=r"clips-00001\.tar"):
        opened_before.read_frame("tiny-000003", 7)
    shard.unlink()
    with pytest.raises(ValueError, match=r"clips-00001\.tar is missing"):
        Corpus.open(tiny_corpus)


def test_a_shard_cut_while_it_is_open_is_named(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    corpus.read_frame("tiny-000002", 0)
    os.truncate(tiny_corpus / "shards/clips-00001.tar", 5000)
    with pytest.raises(ValueError, match=r"clips-00001\.tar is truncated"):
        corpus.read_frame("tiny-000003", 7)


def test_damaged_bytes_name_shard_and_frame(tiny_corpus):
    path = tiny_corpus / "shards/clips-00000.tar"
    manifest = json.loads(path.with_suffix(".json").read_text())
    name, offset, size = manifest["clips"][0]["members"][3]
    assert name == "tiny-000000.00001.png"
    with open(path, "r+b") as file:
        file.seek(offset + size // 2)
        file.write(b"\0" * 20)
    with pytest.raises(ValueError, match=r"clips-00000\.tar is damaged: frame 1 of clip tiny-000000"):
        Corpus.open(tiny_corpus).read_frame("tiny-000000", 1)


def test_a_forked_or_pickled_reader_opens_its_own_files(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    expected = corpus.read_ids("tiny-000000", 0)
    copy = pickle.loads(pickle.dumps(corpus))
    corpus.close()
    assert np.array_equal(copy.read_ids("tiny-000000", 0), expected)
    corpus.read_ids("tiny-000000", 0)
    child = os.fork()
    if child == 0:
        same = np.array_equal(corpus.read_ids("tiny-000000", 0), expected)
        corpus.close()
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(corpus.read_ids("tiny-000000", 0), expected)


def test_few_files_stay_open(tiny_corpus, monkeypatch):
    monkeypatch.setattr("vosforge.datagen.corpus.shard_bytes.MAX_OPEN_SHARDS", 1)
    corpus = Corpus.open(tiny_corpus)
    before = len(os.listdir("/proc/self/fd"))
    for clip in corpus.clips:
        corpus.read_ids(clip.key, 0)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    corpus.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_streaming_gives_the_same_frames(tiny_corpus):
    pytest.importorskip("webdataset", reason="needs the extra stream")
    from vosforge.datagen.corpus.stream import stream_clips

    corpus, keys = Corpus.open(tiny_corpus), []
    for clip in stream_clips(tiny_corpus, "train"):
        key = clip.entry.key
        keys.append(key)
        for streamed, read in zip(clip.read_frame(key, 3), corpus.read_frame(key, 3), strict=True):
            assert np.array_equal(streamed, read)
        assert clip.metadata == corpus.metadata(key)
    assert keys == [clip.key for clip in corpus.split("train")]


def test_streaming_a_damaged_tar_is_an_error(tiny_corpus):
    pytest.importorskip("webdataset", reason="needs the extra stream")
    from vosforge.datagen.corpus.stream import stream_clips

    with open(tiny_corpus / "shards/clips-00001.tar", "r+b") as file:
        file.write(b"\1" * 512)
    with pytest.raises(ValueError, match="clips-00001"):
        list(stream_clips(tiny_corpus, "all"))
