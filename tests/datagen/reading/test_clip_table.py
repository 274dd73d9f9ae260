"""A corpus opens from its index alone, whatever its size."""

import json
import pickle

import numpy as np
import pytest
from vosforge.datagen.corpus.clip_table import rows_of, table_of, table_row
from vosforge.datagen.corpus.fetched import FetchedClip
from vosforge.datagen.corpus.reader import Corpus, NotACorpus
from vosforge.datagen.corpus.shards import END_OF_TAR, DamagedFile, read_members
from vosforge.datagen.storage.folder_store import FolderStore


def without_tables(root) -> None:
    """Make a corpus look as one written before its index had tables and its manifests checksums."""
    index = json.loads((root / "index.json").read_text())
    for shard in index["shards"]:
        del shard["table"]
        path = root / "shards" / shard["name"].replace(".tar", ".json")
        manifest = json.loads(path.read_text())
        for clip in manifest["clips"]:
            del clip["members_crc32"]
        path.write_text(json.dumps(manifest))
    (root / "index.json").write_text(json.dumps(index))


def test_the_table_says_what_the_manifest_says(tiny_corpus):
    index = json.loads((tiny_corpus / "index.json").read_text())
    for shard in index["shards"]:
        manifest = json.loads((tiny_corpus / "shards" / shard["name"].replace(".tar", ".json")).read_text())
        rows = [table_row(clip) for clip in manifest["clips"]]
        assert shard["table"] == table_of(rows) and rows_of(shard["table"]) == rows
        for row, clip in zip(rows, manifest["clips"], strict=True):
            assert row["num_annotated"] == row["num_frames"] == 8 and row["object_ids"] == clip["object_ids"]


def test_opening_reads_the_index_alone_and_a_manifest_only_for_its_clips(tiny_corpus, monkeypatch):
    names, read = [], FolderStore.read_bytes
    monkeypatch.setattr(FolderStore, "read_bytes", lambda self, name: names.append(name) or read(self, name))
    corpus = Corpus.open(tiny_corpus)
    assert [clip.key for clip in corpus.split("val")] == ["tiny-000002", "tiny-000005"]
    assert corpus.num_annotated("tiny-000004") == 8 and corpus.has_all_ids("tiny-000004")
    assert names == ["index.json"]
    for t in (0, 7):
        corpus.read_frame("tiny-000004", t)
    corpus.metadata("tiny-000005")
    assert names == ["index.json", "shards/clips-00002.json"]


def test_a_corpus_of_before_the_table_gives_the_same_clips_and_frames(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    expected = [(clip, corpus.place(clip.key)) for clip in corpus.clips]
    frame = corpus.read_frame("tiny-000003", 2)
    without_tables(tiny_corpus)
    old = pickle.loads(pickle.dumps(Corpus.open(tiny_corpus)))
    assert [(clip, old.place(clip.key)) for clip in old.clips] == expected
    assert all(np.array_equal(a, b) for a, b in zip(old.read_frame("tiny-000003", 2), frame, strict=True))
    (tiny_corpus / "shards/clips-00001.json").unlink()
    with pytest.raises(DamagedFile, match=r"clips-00001\.json is missing"):
        Corpus.open(tiny_corpus)
    rest = Corpus.open(tiny_corpus, on_damage="skip")
    assert [clip.index for clip in rest.clips] == [0, 1, 4, 5]
    assert "its 2 clips are left out" in rest.damaged["shards/clips-00001.json"]


def test_a_missing_manifest_is_named_at_opening_and_a_wrong_one_at_the_first_read(tiny_corpus):
    manifest = tiny_corpus / "shards/clips-00001.json"
    content = manifest.read_text()
    manifest.write_text(content.replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(DamagedFile, match=r"clips-00001\.json describes another shard"):
        Corpus.open(tiny_corpus).read_frame("tiny-000002", 0)
    manifest.write_text(content[:100])
    with pytest.raises(DamagedFile, match=r"clips-00001\.json is not valid JSON"):
        Corpus.open(tiny_corpus).read_frame("tiny-000002", 0)
    manifest.unlink()
    with pytest.raises(DamagedFile, match=r"clips-00001\.json is missing"):
        Corpus.open(tiny_corpus)


def test_a_malformed_table_is_named(tiny_corpus):
    index = json.loads((tiny_corpus / "index.json").read_text())
    index["shards"][1]["table"]["width"].pop()
    (tiny_corpus / "index.json").write_text(json.dumps(index))
    with pytest.raises(NotACorpus, match=r"index\.json has a malformed table of clips of clips-00001\.tar"):
        Corpus.open(tiny_corpus)


def test_a_whole_clip_is_a_tar_of_its_own(tiny_corpus, tiny_world):
    corpus = Corpus.open(tiny_corpus)
    for clip in corpus.clips:
        assert read_members(corpus.read_clip(clip.key) + END_OF_TAR) == tiny_world.clip_members(clip.index)


def test_one_flipped_bit_anywhere_in_a_picture_or_mask_is_found(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    path = tiny_corpus / "shards/clips-00000.tar"
    manifest, content = json.loads(path.with_suffix(".json").read_text()), path.read_bytes()
    rng = np.random.default_rng(0)
    for name, offset, size in manifest["clips"][1]["members"][4:8]:
        for _ in range(5):
            changed = bytearray(content)
            changed[offset + int(rng.integers(size))] ^= 1 << int(rng.integers(8))
            path.write_bytes(changed)
            with pytest.raises(DamagedFile, match=r"clips-00000\.tar is damaged: frame [23] of clip tiny-000001"):
                corpus.read_frame("tiny-000001", int(name.split(".")[1]))
            with pytest.raises(DamagedFile, match=r"clips-00000\.tar is damaged: frame [23] of clip tiny-000001"):
                FetchedClip(corpus, "tiny-000001").read_frame("tiny-000001", int(name.split(".")[1]))
