import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from vosforge.datagen.corpus.reader import Corpus  # noqa: E402
from vosforge.datagen.samples.loader import make_loader  # noqa: E402
from vosforge.datagen.samples.order import EpochOrder  # noqa: E402
from vosforge.datagen.samples.parts import ClipPart  # noqa: E402
from vosforge.datagen.samples.triplets import TripletSettings  # noqa: E402


def batches(corpora, split="train", **changes) -> list:
    parts = [ClipPart(c, weight=w, split=split, settings=TripletSettings(crop_size=32)) for c, w in corpora]
    settings = {
        "seed": 7,
        "batch_size": 3,
        "max_jump": lambda step: 1 + step,
        "num_steps": 5,
    }
    return list(make_loader(parts, **(settings | changes)))


def assert_same(first: list, second: list) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one["key"] == other["key"]
        for name in ("rgb", "labels", "selector", "frames"):
            assert torch.equal(one[name], other[name]), name


def test_a_batch_is_what_the_networks_expect(tiny_corpus):
    batch = batches([(Corpus.open(tiny_corpus), 1.0)])[0]
    assert batch["rgb"].shape == (3, 3, 3, 32, 32) and batch["rgb"].dtype == torch.float32
    assert batch["rgb"].min() >= 0 and 0.5 < batch["rgb"].max() <= 1
    assert batch["labels"].dtype == torch.int64 and set(batch["labels"].unique().tolist()) <= {0, 1, 2}
    assert batch["selector"].shape == (3, 2) and batch["frames"].shape == (3, 3)
    absent = batch["selector"][:, 1] == 0
    assert not (batch["labels"][absent] == 2).any() and batch["number"].tolist() == [0, 1, 2]


def test_worker_processes_change_nothing(tiny_corpus):
    corpora = [(Corpus.open(tiny_corpus), 1.0)]
    corpora[0][0].read_frame("tiny-000000", 0)
    alone = batches(corpora)
    assert_same(alone, batches(corpora, num_workers=1))
    assert_same(alone, batches(corpora, num_workers=2))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_damaged_shard_is_one_line_with_and_without_worker_processes(tiny_corpus, num_workers):
    for shard in (tiny_corpus / "shards").glob("*.tar"):
        shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(ValueError, match=r"\.tar is damaged: frame \d of clip tiny-") as caught:
        batches([(Corpus.open(tiny_corpus), 1.0)], num_workers=num_workers)
    assert "\n" not in str(caught.value)


SLOW_READING = """
import os, time
from torch.utils.data import Dataset
from vosforge.datagen.samples.loader import data_loader

class Pids(Dataset):
    def __getitem__(self, number):
        time.sleep(0 if number < 2 else 300)
        return os.getpid()

items = iter(data_loader(Pids(), range(4), 2))
print(next(items), next(items), flush=True)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs sigtimedwait")
@pytest.mark.parametrize("ending", ["killed", "exit"])
def test_workers_bear_a_signal_to_the_group_and_end_with_their_parent_in_the_midst_of_a_read(ending):
    program = SLOW_READING + ("time.sleep(300)" if ending == "killed" else "input()")
    if ending == "killed":
        program = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n" + program
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pids = [int(word) for word in process.stdout.readline().split()]
    try:
        if ending == "killed":
            os.killpg(process.pid, signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None and all(map(is_alive, pids))
            process.kill()
        process.stdin.close()
        process.wait(30)
        deadline = time.monotonic() + 4
        while any(map(is_alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, pids))
    finally:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


def test_a_resumed_loader_goes_on_as_if_never_stopped(tiny_corpus):
    corpora = [(Corpus.open(tiny_corpus), 1.0)]
    assert_same(batches(corpora)[3:], batches(corpora, start_step=3))
    assert_same(batches(corpora)[2:], batches(corpora, start_step=2, num_workers=2))
    assert batches(corpora, start_step=5) == []


def test_another_seed_gives_other_batches(tiny_corpus):
    corpora = [(Corpus.open(tiny_corpus), 1.0)]
    assert not torch.equal(batches(corpora)[0]["rgb"], batches(corpora, seed=8)[0]["rgb"])


def test_the_jump_follows_the_curriculum(tiny_corpus):
    corpora = [(Corpus.open(tiny_corpus), 1.0)]
    for batch in batches(corpora, max_jump=lambda step: 1):
        assert batch["frames"].diff(dim=1).abs().max() <= 2
    wide = batches(corpora, max_jump=lambda step: 5, num_steps=12)
    assert max(batch["frames"].diff(dim=1).abs().max() for batch in wide) > 2


def test_an_epoch_holds_every_clip_once_and_splits_stay_apart(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    keys = [key for batch in batches([(corpus, 1.0)], batch_size=2, num_steps=4) for key in batch["key"]]
    train = sorted(clip.key for clip in corpus.split("train"))
    assert sorted(keys[:4]) == sorted(keys[4:]) == train
    held_out = [key for batch in batches([(corpus, 1.0)], split="val") for key in batch["key"]]
    assert set(held_out) == {"tiny-000002", "tiny-000005"}


def test_weights_count_draws_per_epoch():
    items = ["abcd", "ABCDEF"]
    order = EpochOrder([len(part) for part in items], [2.0, 0.5], seed=1)
    assert order.epoch_size == 8 + 3
    places = [order.place(number) for number in range(22)]
    drawn = [items[place.part][place.item] for place in places]
    first, second = Counter(drawn[:11]), Counter(drawn[11:])
    assert all(first[key] == second[key] == 2 for key in "abcd")
    # Weight 0.5: one half of the clips in one epoch, the other half in the next.
    assert first + second == Counter(dict.fromkeys("abcd", 4) | dict.fromkeys("ABCDEF", 1))
    assert drawn[:11] != drawn[11:]
    assert [(p.epoch, p.position) for p in places[10:12]] == [(0, 10), (1, 0)]


def test_bad_requests_are_named(tiny_corpus, tmp_path, tiny_world):
    corpus = Corpus.open(tiny_corpus)
    with pytest.raises(ValueError, match="batch_size is 0"):
        batches([(corpus, 1.0)], batch_size=0)
    with pytest.raises(ValueError, match="weight of part 0 of the mixture is -1"):
        batches([(corpus, -1)])
    no_held_out = Corpus.open(tiny_world.write(tmp_path / "corpus", val_every=0, num_clips=2))
    with pytest.raises(ValueError, match='split "val"'):
        batches([(no_held_out, 1.0)], split="val")
