"""Streaming reads every clip once, whole, and gives the same batches for any number of workers and ranks."""

from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from vosforge.datagen.corpus.reader import Corpus  # noqa: E402
from vosforge.datagen.corpus.shards import DamagedFile  # noqa: E402
from vosforge.datagen.samples.loader import make_loader  # noqa: E402
from vosforge.datagen.samples.parts import ClipPart  # noqa: E402
from vosforge.datagen.samples.stream import make_stream_loader  # noqa: E402
from vosforge.datagen.samples.triplets import TripletSettings  # noqa: E402
from vosforge.datagen.samples.visits import StreamSettings, row_of_step, rows_of_steps  # noqa: E402
from vosforge.datagen.storage.store import open_store  # noqa: E402

TENSORS = ("rgb", "labels", "selector", "frames")
COMMON = {"seed": 7, "batch_size": 2, "max_jump": lambda step: 1 + step, "num_steps": 10}


def part_of(root, on_damage="stop") -> ClipPart:
    return ClipPart(Corpus.open(root, on_damage), settings=TripletSettings(crop_size=32), split="all")


def stream(root, samples_per_clip=3, batches_in_turn=2, **changes) -> list:
    streaming = StreamSettings(samples_per_clip=samples_per_clip, batches_in_turn=batches_in_turn)
    return list(make_stream_loader([part_of(root)], streaming=streaming, **(COMMON | changes)))


def assert_same(first: list, second: list) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one["key"] == other["key"]
        assert all(torch.equal(one[name], other[name]) for name in TENSORS)


def test_one_sample_a_clip_is_random_access(tiny_corpus):
    expected = list(make_loader([part_of(tiny_corpus)], **COMMON))
    assert_same(stream(tiny_corpus, samples_per_clip=1, batches_in_turn=1), expected)
    assert_same(stream(tiny_corpus, samples_per_clip=1, batches_in_turn=3), expected)


def test_each_clip_gives_its_samples_in_turns(tiny_corpus):
    found = stream(tiny_corpus, num_steps=6)
    # 2 rows of 2 clips take turns, 3 times.
    assert [batch["key"] for batch in found[:2]] * 3 == [batch["key"] for batch in found]
    assert len({key for batch in found[:2] for key in batch["key"]}) == 4
    pictures = [tuple(batch["frames"][0].tolist()) for batch in found[::2]]
    assert len(set(pictures)) > 1, "the samples of a clip are different draws"


def test_workers_ranks_and_resumes_change_nothing(tiny_corpus):
    alone = stream(tiny_corpus)
    assert_same(alone, stream(tiny_corpus, num_workers=2))
    for start_step in (3, 6, 9):
        assert_same(alone[start_step:], stream(tiny_corpus, start_step=start_step, num_workers=start_step % 2))
    shares = [stream(tiny_corpus, rank=rank, num_ranks=2) for rank in range(2)]
    for whole, *own in zip(alone, *shares, strict=True):
        assert [key for batch in own for key in batch["key"]] == whole["key"]
        assert torch.equal(torch.cat([batch["rgb"] for batch in own]), whole["rgb"])


def test_a_clip_is_read_once_a_visit_and_as_one_range(tiny_corpus):
    url, reads = "memory://streamed", []
    store = open_store(url)
    for path in tiny_corpus.rglob("*"):
        if path.is_file() and path.name != "writer.lock":
            store.write_bytes(str(path.relative_to(tiny_corpus)), path.read_bytes())
    corpus = Corpus.open(url)
    part = ClipPart(corpus, settings=TripletSettings(crop_size=32), split="all")
    read_range = type(corpus.store).read_range

    class Counting(type(corpus.store)):
        def read_range(self, name, offset, size):
            reads.append((name, offset, size))
            return read_range(self, name, offset, size)

    corpus.store.__class__ = Counting
    found = list(
        make_stream_loader([part], streaming=StreamSettings(samples_per_clip=4), **(COMMON | {"num_steps": 24}))
    )
    spans = {(f"shards/{p.shard}", p.offset, p.size) for p in (corpus.place(clip.key) for clip in corpus.clips)}
    assert set(reads) == spans and set(Counter(reads).values()) == {2}, "24 steps of 2 samples, 4 a visit, 6 clips"
    assert_same(found, stream(tiny_corpus, samples_per_clip=4, num_steps=24))


def test_damage_stops_or_is_skipped_by_the_same_rules(tiny_corpus):
    whole = stream(tiny_corpus, samples_per_clip=1)
    (tiny_corpus / "shards/clips-00001.tar").unlink()
    streaming = StreamSettings(samples_per_clip=1)
    stopping = make_stream_loader([part_of(tiny_corpus, "skip")], streaming=streaming, **COMMON)
    with pytest.raises(DamagedFile, match=r"clips-00001\.tar is missing"):
        list(stopping)
    skipping = make_stream_loader([part_of(tiny_corpus, "skip")], streaming=streaming, on_damage="skip", **COMMON)
    lost = {"tiny-000002", "tiny-000003"}
    for one, other in zip(whole, skipping, strict=True):
        for number, key in enumerate(one["key"]):
            assert other["key"][number] not in lost
            assert key in lost or torch.equal(one["rgb"][number], other["rgb"][number])
    assert sum(skipping.damaged.values()) >= 6


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 50), st.integers(0, 50))
def test_every_row_gives_all_its_draws_in_order_and_a_resume_gives_the_rest(samples, turns, start, length):
    plan = StreamSettings(samples_per_clip=samples, batches_in_turn=turns)
    block = samples * turns
    places = [row_of_step(step, plan) for step in range(3 * block)]
    assert sorted(places) == [(row, draw) for row in range(3 * turns) for draw in range(samples)]
    for row in range(3 * turns):
        assert [place.draw for place in places if place.row == row] == list(range(samples))
    rows = list(rows_of_steps(start, start + length, plan))
    assert sorted(step for _, steps in rows for step in steps) == list(range(start, start + length))
    assert all(row_of_step(step, plan).row == row for row, steps in rows for step in steps)
    assert np.all(np.diff([steps[0] for _, steps in rows]) > 0)


@pytest.mark.parametrize("name", ["samples_per_clip", "batches_in_turn"])
def test_settings_below_one_are_named(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        StreamSettings(**{name: 0})


def test_a_stream_ends_with_the_damage_that_stopped_it(tiny_corpus):
    path = tiny_corpus / "shards/clips-00000.tar"
    path.write_bytes(bytes(1000) + path.read_bytes()[1000:])
    loader = make_stream_loader([part_of(tiny_corpus)], streaming=StreamSettings(samples_per_clip=2), **COMMON)
    with pytest.raises(DamagedFile):
        list(loader)
    assert list(loader) == []


def test_a_batch_has_the_fields_and_types_of_the_other_loader(tiny_corpus):
    [one] = stream(tiny_corpus, num_steps=1)
    [other] = make_loader([part_of(tiny_corpus)], **COMMON | {"num_steps": 1})
    assert {name: type(value) for name, value in one.items()} == {name: type(value) for name, value in other.items()}
    for name in ("number", *TENSORS):
        assert (one[name].dtype, one[name].shape) == (other[name].dtype, other[name].shape)
