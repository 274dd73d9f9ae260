"""Clips and composed stills in one mixture: pure functions of their numbers, for any workers, ranks and resume."""

from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from vosforge.datagen.compositing.settings import SequenceSettings  # noqa: E402
from vosforge.datagen.compositing.stills import Still  # noqa: E402
from vosforge.datagen.corpus.reader import Corpus  # noqa: E402
from vosforge.datagen.samples.loader import make_loader  # noqa: E402
from vosforge.datagen.samples.numbered import NumberedSamples  # noqa: E402
from vosforge.datagen.samples.order import EpochOrder  # noqa: E402
from vosforge.datagen.samples.parts import ClipPart  # noqa: E402
from vosforge.datagen.samples.stills import StillPart  # noqa: E402
from vosforge.datagen.samples.triplets import TripletSettings  # noqa: E402

TENSORS = ("rgb", "labels", "selector", "frames")


class Discs:
    """A source of five stills, a disc each."""

    def __len__(self) -> int:
        return 5

    def name(self, number: int) -> str:
        return f"disc-{number}"

    def read(self, rng: np.random.Generator, number: int) -> Still:
        rows, columns = np.mgrid[:48, :64]
        ids = ((rows - 24) ** 2 + (columns - 32) ** 2 < (9 + number) ** 2).astype(np.uint8)
        rgb = np.where(ids[..., None] > 0, [200, 40 * number, 90], [30, 60, 90]).astype(np.uint8)
        return Still(name=self.name(number), rgb=rgb, ids=ids)


def parts_of(corpus_root, clips: float = 1.0, **settings) -> list:
    return [
        ClipPart(Corpus.open(corpus_root), settings=TripletSettings(crop_size=32), weight=clips),
        StillPart(Discs(), settings=SequenceSettings(size=32, **settings)),
    ]


def batches(parts, **changes) -> list:
    wanted = {"seed": 7, "batch_size": 4, "max_jump": lambda step: 1 + step, "num_steps": 5}
    return list(make_loader(parts, **(wanted | changes)))


def assert_same(first: list, second: list) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one["key"] == other["key"]
        assert all(torch.equal(one[name], other[name]) for name in TENSORS)


def test_an_epoch_of_a_mixture_holds_each_part_by_its_weight(tiny_corpus):
    parts = parts_of(tiny_corpus, clips=2.0)
    keys = [key for batch in batches(parts, batch_size=1, num_steps=2 * (8 + 5)) for key in batch["key"]]
    clips = {f"tiny-{index:06d}": 2 for index in (0, 1, 3, 4)}
    for epoch in (keys[:13], keys[13:]):
        assert Counter(epoch) == Counter(clips | {f"disc-{number}": 1 for number in range(5)})


def test_a_composed_still_is_a_sample_like_any_other(tiny_corpus):
    for batch in batches(parts_of(tiny_corpus)):
        assert batch["rgb"].shape == (4, 3, 3, 32, 32) and batch["labels"].shape == (4, 3, 32, 32)
        for number, key in enumerate(batch["key"]):
            if key.startswith("disc"):
                assert batch["frames"][number].tolist() == [0, 1, 2]
                assert batch["selector"][number].tolist() == [1, 0] and (batch["labels"][number] == 1).sum() > 20


def test_what_samples_of_one_kind_lack_is_in_no_mixed_batch(tiny_corpus):
    parts = parts_of(tiny_corpus, match_cell=16)
    kinds = Counter()
    for batch in batches(parts, batch_size=2, num_steps=20):
        is_still = [key.startswith("disc") for key in batch["key"]]
        assert ("matches" in batch) == all(is_still)
        kinds[sum(is_still)] += 1
    assert kinds[2] and kinds[1] and batches(parts[1:])[0]["matches"].shape == (4, 3, 3, 4)


def test_workers_and_a_resume_in_the_middle_change_nothing(tiny_corpus):
    parts = parts_of(tiny_corpus)
    alone = batches(parts)
    assert_same(alone, batches(parts, num_workers=2))
    assert_same(alone[3:], batches(parts, start_step=3, num_workers=1))


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_ranks_share_each_batch_equally_and_see_together_what_one_sees(tiny_corpus, num_ranks):
    parts = parts_of(tiny_corpus)
    alone = batches(parts)
    shares = [batches(parts, rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)]
    for step, whole in enumerate(alone):
        own = [share[step] for share in shares]
        assert [len(batch["key"]) for batch in own] == [4 // num_ranks] * num_ranks
        assert [key for batch in own for key in batch["key"]] == whole["key"]
        for name in TENSORS:
            assert torch.equal(torch.cat([batch[name] for batch in own]), whole[name])


def test_a_batch_that_ranks_cannot_share_and_parts_that_do_not_fit_are_refused(tiny_corpus):
    parts = parts_of(tiny_corpus)
    with pytest.raises(ValueError, match="batch_size is 4, it is that of all 3 ranks"):
        batches(parts, num_ranks=3)
    with pytest.raises(ValueError, match="rank is 2 of 2"):
        batches(parts, rank=2, num_ranks=2)
    with pytest.raises(ValueError, match=r"crop_size \[32, 48\]"):
        batches([parts[0], StillPart(Discs(), settings=SequenceSettings(size=48))])
    with pytest.raises(ValueError, match=r"num_frames \[3, 5\]"):
        batches([parts[0], StillPart(Discs(), settings=SequenceSettings(size=32, num_frames=5))])
    with pytest.raises(ValueError, match="no parts"):
        batches([])


def test_a_sample_is_the_same_whatever_was_drawn_before_it(tiny_corpus):
    forwards, backwards = NumberedSamples(parts_of(tiny_corpus), 3), NumberedSamples(parts_of(tiny_corpus), 3)
    drawn = {number: forwards.sample(number, 5).sample for number in range(12)}
    for number in reversed(range(12)):
        again = backwards.sample(number, 5).sample
        assert np.array_equal(again.rgb, drawn[number].rgb) and again.frames == drawn[number].frames


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.3, 0.5, 1.0, 1.5, 3.0])), min_size=1, max_size=3))
def test_every_epoch_is_a_permutation_and_no_item_is_dealt_twice_before_all_were_once(mixture):
    sizes, weights = [size for size, _ in mixture], [weight for _, weight in mixture]
    order = EpochOrder(sizes, weights, seed=11)
    wanted = [max(1, round(weight * size)) for size, weight in mixture]
    assert order.epoch_size == sum(wanted)
    dealt: Counter = Counter()
    for epoch in range(3):
        places = [order.place(epoch * order.epoch_size + position) for position in range(order.epoch_size)]
        assert [(place.epoch, place.position) for place in places] == [(epoch, p) for p in range(order.epoch_size)]
        assert [sum(place.part == part for place in places) for part in range(len(sizes))] == wanted
        dealt.update((place.part, place.item) for place in places)
    for part, size in enumerate(sizes):
        counts = [dealt[part, item] for item in range(size)]
        assert max(counts) - min(counts) <= 1
