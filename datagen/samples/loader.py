"""Batches for training: every sample is a pure function of the seed and its number, so a resume is exact."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..corpus.reader import Corpus
from .triplets import MIN_FRAMES, Triplet, TripletSettings, sample_triplet

# One stream per use: a new draw in one must not reshuffle the others.
_ORDER_STREAM, _CLIP_STREAM, _SAMPLE_STREAM = range(3)


@dataclass(frozen=True, kw_only=True)
class SamplePlace:
    """Where sample number g lies: epoch, position in it, and the clip that is drawn there."""

    epoch: int
    position: int
    corpus: int
    key: str


class EpochOrder:
    """The order of clips, epoch after epoch, for a weighted mixture of corpora.

    An epoch holds round(weight * clips) draws of each corpus (at least one): weight 2 draws each clip twice, weight 0.5
    half of the clips, the other half in the next epoch. Within an epoch the order is a permutation keyed by (seed,
    epoch). It does not depend on the number of workers or of GPUs.
    """

    def __init__(self, keys: Sequence[Sequence[str]], weights: Sequence[float], seed: int) -> None:
        for number, (corpus_keys, weight) in enumerate(zip(keys, weights, strict=True)):
            if not corpus_keys:
                raise ValueError(f"corpus {number} of the mixture has no clip of {MIN_FRAMES} frames or more")
            if not weight > 0:
                raise ValueError(f"the weight of corpus {number} is {weight}, it must be above 0")
        self._keys, self._seed = [list(corpus_keys) for corpus_keys in keys], seed
        self._num_draws = [max(1, round(weight * len(k))) for k, weight in zip(keys, weights, strict=True)]
        self._owners = np.repeat(np.arange(len(keys)), self._num_draws)
        self._starts = np.concatenate([[0], np.cumsum(self._num_draws)])
        self._permutations: dict[tuple[int, ...], np.ndarray] = {}

    @property
    def epoch_size(self) -> int:
        """Number of samples in an epoch."""
        return len(self._owners)

    def place(self, number: int) -> SamplePlace:
        """Return where sample `number` (0, 1, 2, ... over all epochs) lies."""
        epoch, position = divmod(number, self.epoch_size)
        slot = int(self._permutation((_ORDER_STREAM, epoch), self.epoch_size)[position])
        corpus = int(self._owners[slot])
        # Clips are dealt without replacement: the draws of a corpus walk through one permutation after another.
        draw = epoch * self._num_draws[corpus] + slot - int(self._starts[corpus])
        cycle, dealt = divmod(draw, len(self._keys[corpus]))
        order = self._permutation((_CLIP_STREAM, corpus, cycle), len(self._keys[corpus]))
        return SamplePlace(epoch=epoch, position=position, corpus=corpus, key=self._keys[corpus][order[dealt]])

    def _permutation(self, spawn_key: tuple[int, ...], length: int) -> np.ndarray:
        if spawn_key not in self._permutations:
            if len(self._permutations) > 64:
                self._permutations.clear()
            rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=spawn_key))
            self._permutations[spawn_key] = rng.permutation(length)
        return self._permutations[spawn_key]


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

    A ValueError, such as that of a damaged shard, is the item itself: raised in a worker process it would come out of
    the DataLoader with the worker's traceback for a message. `make_loader` raises it.
    """

    def __init__(
        self, corpora: Sequence[Corpus], order: EpochOrder, settings: TripletSettings, seed: int, batch_size: int
    ) -> None:
        self._corpora, self._order, self._settings = list(corpora), order, settings
        self._seed, self._batch_size = seed, batch_size

    def __getitem__(self, step_and_jump: tuple[int, int]) -> dict[str, Any] | ValueError:
        step, max_jump = step_and_jump
        first = step * self._batch_size
        try:
            return collate([self.triplet(number, max_jump) for number in range(first, first + self._batch_size)])
        except ValueError as error:
            return error

    def triplet(self, number: int, max_jump: int) -> Triplet:
        """Return sample `number`, a pure function of the seed and the arguments."""
        place = self._order.place(number)
        spawn_key = (_SAMPLE_STREAM, place.epoch, place.position)
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=spawn_key))
        return sample_triplet(rng, self._corpora[place.corpus], place.key, max_jump, self._settings)


def make_loader(
    corpora: Sequence[tuple[Corpus, float]],
    *,
    split: Literal["train", "val", "all"] = "train",
    settings: TripletSettings,
    seed: int,
    batch_size: int,
    max_jump: Callable[[int], int],
    start_step: int = 0,
    num_steps: int,
    num_workers: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yield the batches of the steps start_step, ..., num_steps - 1 (num_steps counts from step 0, not from the start).

    corpora: (corpus, weight); see `EpochOrder` for the mixture. Clips with fewer than 3 frames are left out.
    max_jump: step -> largest jump. Step s holds the samples s*batch_size to (s+1)*batch_size - 1, so a run that starts
    at a later step sees the same batches as one that was never stopped, with any number of worker processes.

    A batch: "rgb" float32 (B, 3, 3, H, W), B frames RGB H W, in [0, 1]; "masks" float32 (B, 3, 2, H, W) in {0, 1}, the
    second object all zero when there is none; "labels" int64 (B, 3, H, W) in {0, 1, 2}; "selector" float32 (B, 2);
    "key" list of B str; "frames" int64 (B, 3).

    ValueError for a corpus that `usable_keys` refuses, or a batch size, weight, jump or step out of range; while
    iterating, for damaged bytes (naming the shard).
    """
    if batch_size < 1 or num_workers < 0 or not 0 <= start_step <= num_steps:
        raise ValueError(
            f"batch_size is {batch_size}, num_workers {num_workers}, start_step {start_step}, num_steps {num_steps}; "
            "allowed: batch_size >= 1, num_workers >= 0, 0 <= start_step <= num_steps"
        )
    order = EpochOrder([usable_keys(corpus, split) for corpus, _ in corpora], [weight for _, weight in corpora], seed)
    dataset = BatchDataset([corpus for corpus, _ in corpora], order, settings, seed, batch_size)
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=Steps(start_step, num_steps, max_jump),
        num_workers=num_workers,
        worker_init_fn=_start_worker,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context=_worker_context() if num_workers else None,
    )
    return _raise_errors(iter(loader))


def usable_keys(corpus: Corpus, split: Literal["train", "val", "all"]) -> list[str]:
    """Return the keys of the clips of a split that can be trained on, those with at least 3 frames.

    ValueError when there is none, or when one of them has frames without ids.
    """
    usable = [clip.key for clip in corpus.split(split) if clip.num_frames >= MIN_FRAMES]
    if not usable:
        raise ValueError(
            f'{corpus.root} has no clip of {MIN_FRAMES} frames or more in its split "{split}"; give another corpus'
        )
    incomplete = [key for key in usable if not corpus.has_all_ids(key)]
    if incomplete:
        raise ValueError(
            f'{corpus.root} has {len(incomplete)} clips with frames without ids in its split "{split}", the first is '
            f"{incomplete[0]}; training needs ids in every frame, give another corpus"
        )
    return usable


def _raise_errors(items: Iterator[Any]) -> Iterator[dict[str, Any]]:
    for item in items:
        if isinstance(item, ValueError):
            raise item
        yield item


def collate(triplets: Sequence[Triplet]) -> dict[str, Any]:
    """Return the batch of the triplets; see `make_loader`."""
    rgb = torch.from_numpy(np.stack([triplet.rgb for triplet in triplets]))
    labels = torch.from_numpy(np.stack([triplet.labels for triplet in triplets])).long()
    return {
        "rgb": rgb.permute(0, 1, 4, 2, 3).contiguous().float().div_(255),
        "masks": torch.stack([labels == 1, labels == 2], dim=2).float(),
        "labels": labels,
        "selector": torch.from_numpy(np.stack([triplet.selector for triplet in triplets])),
        "key": [triplet.key for triplet in triplets],
        "frames": torch.tensor([triplet.frames for triplet in triplets]),
    }


def _worker_context() -> str:
    # A forked worker shares the tables of the corpus with its parent; where there is no fork they are copied.
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"


def _start_worker(worker: int) -> None:
    cv2.setNumThreads(0)
