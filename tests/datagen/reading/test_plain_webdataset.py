"""The shards load in plain webdataset, without any code of ours, and stream end to end through it."""

import json
import zlib

import numpy as np
import pytest

webdataset = pytest.importorskip("webdataset", reason="needs the extra stream")

from vosforge.datagen.corpus.reader import Corpus  # noqa: E402
from vosforge.datagen.corpus.shards import DamagedFile  # noqa: E402
from vosforge.datagen.corpus.stream import stream_clips  # noqa: E402
from vosforge.datagen.samples.triplets import TripletSettings, sample_triplet  # noqa: E402
from vosforge.datagen.storage.store import open_store  # noqa: E402


def test_plain_webdataset_yields_one_sample_a_clip_with_every_member(tiny_corpus, tiny_world):
    shards = sorted(str(path) for path in (tiny_corpus / "shards").glob("*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False))
    assert [sample["__key__"] for sample in samples] == [f"tiny-{index:06d}" for index in range(6)]
    for index, sample in enumerate(samples):
        for name, content in tiny_world.clip_members(index):
            assert sample[name.partition(".")[2]] == content


def test_triplets_of_a_streamed_clip_are_those_of_random_access(tiny_corpus):
    corpus, plan = Corpus.open(tiny_corpus), TripletSettings(crop_size=32)
    for clip in stream_clips(tiny_corpus, "all"):
        for seed in range(3):
            streamed = sample_triplet(np.random.default_rng(seed), clip, clip.entry.key, 5, plan)
            read = sample_triplet(np.random.default_rng(seed), corpus, clip.entry.key, 5, plan)
            assert streamed.frames == read.frames and np.array_equal(streamed.rgb, read.rgb)


def test_any_url_streams(tiny_corpus):
    store = open_store("memory://plain")
    for path in tiny_corpus.rglob("*"):
        if path.is_file() and path.name != "writer.lock":
            store.write_bytes(str(path.relative_to(tiny_corpus)), path.read_bytes())
    remote, local = list(stream_clips("memory://plain", "train")), list(stream_clips(tiny_corpus, "train"))
    assert [clip.members for clip in remote] == [clip.members for clip in local] and len(local) == 4


def flip_picture(root, index: int) -> None:
    path = root / f"shards/clips-{index // 2:05d}.tar"
    _, offset, size = json.loads(path.with_suffix(".json").read_text())["clips"][index % 2]["members"][4]
    content = bytearray(path.read_bytes())
    content[offset + size // 2] ^= 4
    path.write_bytes(content)


def test_a_changed_member_stops_the_stream_or_is_left_out_with_a_report(tiny_corpus):
    flip_picture(tiny_corpus, 3)
    with pytest.raises(DamagedFile, match=r"clips-00001\.tar is damaged: tiny-000003\.00002\.jpg of clip tiny-000003"):
        list(stream_clips(tiny_corpus, "all"))
    reports: list[str] = []
    keys = [clip.entry.key for clip in stream_clips(tiny_corpus, "all", on_damage="skip", report=reports.append)]
    assert keys == [f"tiny-{index:06d}" for index in (0, 1, 2, 4, 5)] and len(reports) == 1


def test_a_broken_tar_loses_its_own_clips_alone(tiny_corpus):
    with open(tiny_corpus / "shards/clips-00001.tar", "r+b") as file:
        file.write(b"\1" * 512)
    (tiny_corpus / "shards/clips-00002.tar").unlink()
    reports: list[str] = []
    keys = [clip.entry.key for clip in stream_clips(tiny_corpus, "all", on_damage="skip", report=reports.append)]
    assert keys == ["tiny-000000", "tiny-000001"]
    assert len(reports) == 2 and "clips-00001.tar" in reports[0] and "clips-00002.tar" in reports[1]


def test_a_tar_that_ends_early_without_a_word_is_noticed(tiny_corpus):
    clip = json.loads((tiny_corpus / "shards/clips-00001.json").read_text())["clips"][1]
    with open(tiny_corpus / "shards/clips-00001.tar", "r+b") as file:
        file.seek(clip["offset"])
        file.write(b"\1" * 512)
    with pytest.raises(DamagedFile, match=r"clips-00001\.tar is damaged: tiny-000003 cannot be found in it"):
        list(stream_clips(tiny_corpus, "train"))
    reports: list[str] = []
    keys = [found.entry.key for found in stream_clips(tiny_corpus, "all", on_damage="skip", report=reports.append)]
    assert keys == [f"tiny-{index:06d}" for index in (0, 1, 2, 4, 5)] and len(reports) == 1


def test_checksums_in_the_manifest_are_those_of_the_members(tiny_corpus, tiny_world):
    manifest = json.loads((tiny_corpus / "shards/clips-00000.json").read_text())
    for clip in manifest["clips"]:
        assert clip["members_crc32"] == [zlib.crc32(content) for _, content in tiny_world.clip_members(clip["index"])]
