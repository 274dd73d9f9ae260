"""Damaged members and shards stop the run or are skipped, named and counted; all other samples stay as they are."""

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from vosforge.datagen.corpus.reader import Corpus  # noqa: E402
from vosforge.datagen.corpus.shards import DamagedFile  # noqa: E402
from vosforge.datagen.samples.loader import make_loader  # noqa: E402
from vosforge.datagen.samples.numbered import NumberedSamples  # noqa: E402
from vosforge.datagen.samples.parts import ClipPart  # noqa: E402
from vosforge.datagen.samples.triplets import TripletSettings  # noqa: E402
from vosforge.datagen.writing.writer import CorpusWriter  # noqa: E402

NUM_STEPS = 8


def open_part(root, on_damage="skip") -> ClipPart:
    return ClipPart(Corpus.open(root, on_damage=on_damage), settings=TripletSettings(crop_size=32), split="all")


def loader_of(root, on_damage="skip", **changes):
    wanted = {"seed": 7, "batch_size": 3, "max_jump": lambda step: 5, "num_steps": NUM_STEPS, "on_damage": on_damage}
    return make_loader([open_part(root)], **(wanted | changes))


def damage_clip(root, index: int) -> None:
    """Flip a bit in the middle of every member of a clip but its metadata."""
    path = root / f"shards/clips-{index // 2:05d}.tar"
    clip = json.loads(path.with_suffix(".json").read_text())["clips"][index % 2]
    content = bytearray(path.read_bytes())
    for _, offset, size in clip["members"][:-1]:
        content[offset + size // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_member_stops_the_run_by_name(tiny_corpus):
    damage_clip(tiny_corpus, 3)
    with pytest.raises(DamagedFile, match=r"clips-00001\.tar is damaged: frame \d of clip tiny-000003: its bytes"):
        list(loader_of(tiny_corpus, on_damage="stop"))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_damaged_member_is_skipped_named_and_counted_and_nothing_else_changes(tiny_corpus, caplog, num_workers):
    whole = list(loader_of(tiny_corpus, num_workers=num_workers))
    damage_clip(tiny_corpus, 3)
    loader = loader_of(tiny_corpus, num_workers=num_workers)
    with caplog.at_level(logging.WARNING):
        skipping = list(loader)
    places = [(s, n) for s, batch in enumerate(whole) for n, key in enumerate(batch["key"]) if key == "tiny-000003"]
    assert len(places) == NUM_STEPS * 3 // 6 and sum(loader.damaged.values()) >= len(places)
    assert all("clips-00001.tar is damaged: frame" in message for message in loader.damaged)
    assert len(caplog.records) == len(loader.damaged)
    for step, (one, other) in enumerate(zip(whole, skipping, strict=True)):
        for number in range(3):
            if (step, number) in places:
                assert other["key"][number] != "tiny-000003"
            else:
                assert torch.equal(one["rgb"][number], other["rgb"][number])
    assert "tiny-000003" not in {key for batch in skipping for key in batch["key"]}
    again = list(loader_of(tiny_corpus, start_step=2))
    assert all(torch.equal(a["rgb"], b["rgb"]) for a, b in zip(skipping[2:], again, strict=True))


def test_a_missing_or_cut_shard_is_skipped_too(tiny_corpus):
    whole = list(loader_of(tiny_corpus))
    (tiny_corpus / "shards/clips-00001.tar").unlink()
    with pytest.raises(DamagedFile, match=r"clips-00001\.tar is missing"):
        Corpus.open(tiny_corpus)
    corpus = Corpus.open(tiny_corpus, on_damage="skip")
    assert list(corpus.damaged) == ["shards/clips-00001.tar"] and len(corpus.clips) == 6
    loader = loader_of(tiny_corpus)
    keys = [key for batch in loader for key in batch["key"]]
    assert set(keys) == {"tiny-000000", "tiny-000001", "tiny-000004", "tiny-000005"}
    unharmed = [(a, b) for a, b in zip([k for b in whole for k in b["key"]], keys, strict=True) if a in set(keys)]
    assert all(a == b for a, b in unharmed)
    assert sum(loader.damaged.values()) >= 8 and all("clips-00001.tar is missing" in line for line in loader.damaged)


def test_a_lost_manifest_is_damage_of_its_shard(tiny_corpus):
    (tiny_corpus / "shards/clips-00002.json").write_text("{")
    loader = loader_of(tiny_corpus)
    assert {key for batch in loader for key in batch["key"]} == {f"tiny-{index:06d}" for index in range(4)}
    assert all("clips-00002.json is not valid JSON" in line for line in loader.damaged)


def test_a_corpus_without_one_whole_clip_stops_in_the_end(tiny_corpus):
    for index in range(6):
        damage_clip(tiny_corpus, index)
    with pytest.raises(DamagedFile, match="50 substitutes for a damaged sample were damaged too"):
        next(loader_of(tiny_corpus))


def test_an_unknown_policy_is_refused(tiny_corpus):
    with pytest.raises(ValueError, match="on_damage is 'ignore'"):
        NumberedSamples([open_part(tiny_corpus)], 0, "ignore")
    with pytest.raises(ValueError, match="on_damage is 'ignore'"):
        Corpus.open(tiny_corpus, on_damage="ignore")


def test_a_mistake_of_the_caller_is_never_skipped_as_damage(tiny_corpus):
    part = open_part(tiny_corpus)
    samples = NumberedSamples([part], 0, "skip")
    with pytest.raises(ValueError, match="max_jump is 0"):
        samples.sample(0, 0)
    part.keys[:] = ["unknown"] * len(part.keys)
    with pytest.raises(ValueError, match="no clip 'unknown'"):
        samples.sample(0, 5)


def test_substitutes_are_the_same_in_every_run(tiny_corpus):
    damage_clip(tiny_corpus, 0)
    first, second = (NumberedSamples([open_part(tiny_corpus)], 5, "skip") for _ in range(2))
    for number in range(12):
        one, other = first.sample(number, 4), second.sample(number, 4)
        assert one.damage == other.damage and np.array_equal(one.sample.rgb, other.sample.rgb)


def test_a_rebuilt_shard_does_not_hide_damage(tmp_path, tiny_world):
    root, description = tmp_path / "corpus", tiny_world.description(num_clips=2)
    writer = CorpusWriter(root, description)
    tiny_world.commit(root, 0)
    writer.finish({1: "not made"})
    damage_clip(root, 0)
    tiny_world.commit(root, 1)
    writer = CorpusWriter(root, description)
    with pytest.raises(DamagedFile, match=r"clips-00000\.tar changed since it was written: tiny-000000"):
        writer.finish()
    writer.close()


def test_a_damaged_pass_is_named(tmp_path, tiny_world):
    root = tiny_world.write(tmp_path / "corpus", passes=("tracks",))
    path = root / "shards/clips-00000.tracks.tar"
    record = json.loads((root / "shards/clips-00000.json").read_text())["passes"]["tracks"]
    content = bytearray(path.read_bytes())
    _, offset, size = record["clips"][0]["members"][0]
    content[offset + size - 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"tracks\.tar is damaged: clip tiny-000000: the bytes of its tracks"):
        Corpus.open(root).read_tracks("tiny-000000")


def test_threads_that_share_a_corpus_keep_few_files_open(tiny_corpus, monkeypatch):
    monkeypatch.setattr("vosforge.datagen.corpus.shard_bytes.MAX_OPEN_SHARDS", 1)
    corpus = Corpus.open(tiny_corpus)
    expected = {clip.key: corpus.read_jpeg(clip.key, 0) for clip in corpus.clips}
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda key: corpus.read_jpeg(key, 0) == expected[key], list(expected) * 100)
        assert all(found)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
