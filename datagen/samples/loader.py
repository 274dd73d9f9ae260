"""Batches for training: every sample is a pure function of the seed and its number, so a resume is exact."""

import gc
import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..corpus.opening import OnDamage
from .numbered import NumberedSamples
from .parts import SamplePart

_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS = 1.0


class Ranks:
    """Which samples of a global batch are those of one of `num_ranks` training processes: an equal, contiguous share.

    ValueError when the batch cannot be shared equally, or rank is out of range.
    """

    def __init__(self, rank: int, num_ranks: int, batch_size: int) -> None:
        if num_ranks < 1 or not 0 <= rank < num_ranks:
            raise ValueError(f"rank is {rank} of {num_ranks}, it must be 0 to num_ranks - 1, and num_ranks at least 1")
        if batch_size % num_ranks:
            raise ValueError(
                f"batch_size is {batch_size}, it is that of all {num_ranks} ranks together and must be a multiple of it"
            )
        self.share, self._batch_size = batch_size // num_ranks, batch_size
        self._first = rank * self.share

    def numbers(self, row: int) -> range:
        """Return the numbers of this rank's samples in global batch `row`."""
        first = row * self._batch_size + self._first
        return range(first, first + self.share)


class Steps(Sampler):
    """Yields (step, max_jump at that step), in the process of the training, where the curriculum is known."""

    def __init__(self, start_step: int, num_steps: int, max_jump: Callable[[int], int]) -> None:
        self._steps, self._max_jump = range(start_step, num_steps), max_jump

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((step, self._max_jump(step)) for step in self._steps)


class BatchDataset(Dataset):
    """The item (step, max_jump) is the batch of that step, collated; see `make_loader` for its content.

    An error such as that of a damaged shard is the item itself: raised in a worker process it would come out of the
    DataLoader with the worker's traceback for a message. `Batches` raises it.
    """

    def __init__(self, samples: NumberedSamples, ranks: Ranks) -> None:
        self._samples, self._ranks = samples, ranks

    def __getitem__(self, step_and_jump: tuple[int, int]) -> dict[str, Any] | Exception:
        step, max_jump = step_and_jump
        try:
            dealt = [self._samples.sample(n, max_jump) for n in self._ranks.numbers(step)]
        except (ValueError, OSError) as error:
            return error
        batch = collate([one.sample for one in dealt])
        numbers = torch.tensor(self._ranks.numbers(step), dtype=torch.int64)
        return {**batch, "number": numbers, "damaged": [line for one in dealt for line in one.damage]}


class Batches(Iterator[dict[str, Any]]):
    """Iterates over batches; `damaged` counts what was found damaged and skipped so far: message -> samples.

    Each message is logged once, when it is first met.
    """

    def __init__(self, items: Iterator[dict[str, Any] | Exception]) -> None:
        self._items, self.damaged = items, Counter()

    def __next__(self) -> dict[str, Any]:
        item = next(self._items)
        if isinstance(item, Exception):
            raise item
        for line in item.pop("damaged"):
            if not self.damaged[line]:
                _LOG.warning("%s; skipped, another sample stands in its place", line)
            self.damaged[line] += 1
        return item


def make_loader(
    parts: Sequence[SamplePart],
    *,
    seed: int,
    batch_size: int,
    max_jump: Callable[[int], int],
    start_step: int = 0,
    num_steps: int,
    num_workers: int = 0,
    rank: int = 0,
    num_ranks: int = 1,
    on_damage: OnDamage = "stop",
) -> Batches:
    """Yield the batches of the steps start_step, ..., num_steps - 1 (num_steps counts from step 0, not from the start).

    parts: the mixture, see `ClipPart`, `StillPart` and `EpochOrder`. max_jump: step -> largest jump. Step s holds the
    samples s*batch_size to (s+1)*batch_size - 1, so a run that starts at a later step sees the same batches as one that
    was never stopped, with any number of worker processes. batch_size is that of all ranks together: rank r of
    num_ranks gets the r-th share of each batch, so together they see what one would. on_damage: see `NumberedSamples`.

    A batch holds what the samples name in `BATCHED`, stacked (see `collate`), and "number" int64 (B,), the numbers of
    its samples. For triplets (B samples of T frames): "rgb" float32 (B, T, 3, H, W), RGB in [0, 1]; "labels" int64
    (B, T, H, W) in {0, 1, 2}, or 255 to be ignored; "selector" float32 (B, 2); "key" list of B str; "frames" int64
    (B, T).

    ValueError for a batch size, weight, rank or step out of range; while iterating, DamagedFile for damaged bytes
    (naming the shard) unless they are skipped.
    """
    check_steps(batch_size, num_workers, start_step, num_steps)
    samples = NumberedSamples(parts, seed, on_damage)
    dataset = BatchDataset(samples, Ranks(rank, num_ranks, batch_size))
    return Batches(iter(data_loader(dataset, Steps(start_step, num_steps, max_jump), num_workers)))


def check_steps(batch_size: int, num_workers: int, start_step: int, num_steps: int) -> None:
    """Raise ValueError unless these arguments of a loader are in their ranges."""
    if batch_size < 1 or num_workers < 0 or not 0 <= start_step <= num_steps:
        raise ValueError(
            f"batch_size is {batch_size}, num_workers {num_workers}, start_step {start_step}, num_steps {num_steps}; "
            "allowed: batch_size >= 1, num_workers >= 0, 0 <= start_step <= num_steps"
        )


def data_loader(dataset: Dataset, sampler: Sampler, num_workers: int, items_ahead: int = 2) -> DataLoader:
    """Return a DataLoader whose items are not batched further; items_ahead: items that each worker makes in advance."""
    if num_workers:
        # A forked worker that collects garbage of its parent waits for ever where that ends threads, which a fork does
        # not copy (seen with a video of OpenCV that was not released).
        gc.collect()
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=sampler,
        num_workers=num_workers,
        prefetch_factor=items_ahead if num_workers else None,
        worker_init_fn=_start_worker,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context=_worker_context() if num_workers else None,
    )


def collate(samples: Sequence[Any]) -> dict[str, Any]:
    """Return the fields that the samples name in `BATCHED` and none of them lacks, each as one tensor or list.

    Arrays are stacked; then rgb*: uint8 (..., H, W, 3) becomes float32 (B, ..., 3, H, W) in [0, 1]; labels*: int64;
    other uint8: float32 in [0, 1]; bool: float32. Tuples of int become int64 (B, n); text stays a list.
    """
    fields = {name: [getattr(sample, name, None) for sample in samples] for name in samples[0].BATCHED}
    return {name: _stacked(name, values) for name, values in fields.items() if not any(one is None for one in values)}


def _stacked(name: str, values: Sequence[Any]) -> torch.Tensor | list[str]:
    if isinstance(values[0], str):
        return list(values)
    if not isinstance(values[0], np.ndarray):
        return torch.tensor(values)
    stacked = torch.from_numpy(np.stack(values))
    if name.startswith("rgb"):
        return stacked.movedim(-1, -3).contiguous().float().div_(255)
    if name.startswith("labels"):
        return stacked.long()
    if stacked.dtype == torch.uint8:
        return stacked.float().div_(255)
    return stacked.float() if stacked.dtype == torch.bool else stacked


def _worker_context() -> str:
    # A forked worker shares the tables of the corpus with its parent; where there is no fork they are copied.
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"


def _start_worker(worker: int) -> None:
    cv2.setNumThreads(0)
    if hasattr(signal, "sigtimedwait"):  # not on macOS
        # Blocked, so that it is left to the thread: of a handler Python does not tell who sent the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        parent = multiprocessing.parent_process().pid
        threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    """End this process when its parent has ended, or sends SIGTERM.

    SIGTERM of others (SLURM, systemd, timeout) goes to the whole process group and asks the parent to stop: it goes on
    to the end of a step first, and to a checkpoint.
    """
    while os.getppid() == parent:
        received = signal.sigtimedwait({signal.SIGTERM}, _SECONDS_BETWEEN_LOOKS)
        if received is not None and received.si_pid == parent:
            break
    os._exit(0)
