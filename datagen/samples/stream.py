"""Batches from whole clips, each fetched once: for object stores, where a read costs more than its bytes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from ..corpus.opening import OnDamage
from .loader import Batches, Ranks, check_steps, collate, data_loader
from .numbered import NumberedSamples
from .parts import SamplePart
from .visits import StreamSettings, row_of_step, rows_of_steps

Draws = list[tuple[int, int]]


class Visits(Sampler):
    """Yields (visit, its draws with their max_jump) in the order of need, those of one rank."""

    def __init__(
        self,
        start_step: int,
        num_steps: int,
        max_jump: Callable[[int], int],
        settings: StreamSettings,
        ranks: Ranks,
    ) -> None:
        self._steps, self._max_jump = (start_step, num_steps), max_jump
        self._settings, self._ranks = settings, ranks

    def __iter__(self) -> Iterator[tuple[int, Draws]]:
        for row, steps in rows_of_steps(*self._steps, self._settings):
            draws = [(row_of_step(step, self._settings).draw, self._max_jump(step)) for step in steps]
            for visit in self._ranks.numbers(row):
                yield visit, draws


class VisitDataset(Dataset):
    """The item (visit, draws) is the samples of one clip, collated over the draws."""

    def __init__(self, samples: NumberedSamples) -> None:
        self._samples = samples

    def __getitem__(self, visit_and_draws: tuple[int, Draws]) -> dict[str, Any] | Exception:
        visit, draws = visit_and_draws
        try:
            dealt = self._samples.samples_of_visit(visit, draws)
        except (ValueError, OSError) as error:
            return error
        batch = collate([one.sample for one in dealt])
        return {**batch, "number": torch.full((len(dealt),), visit), "damaged": [list(one.damage) for one in dealt]}


def make_stream_loader(
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
    streaming: StreamSettings | None = None,
) -> Batches:
    """Yield batches as `make_loader` does, from clips that are read whole, once, and give several samples each.

    The batches depend on seed, batch_size and `streaming` alone: the same for any number of workers and ranks and after
    any resume; no clip is read by two of them (but those that were open when a run stopped). With samples_per_clip=1
    they are those of `make_loader`. An epoch visits every item as `EpochOrder` says. Needs the extra `stream`.
    """
    check_steps(batch_size, num_workers, start_step, num_steps)
    settings, ranks = streaming or StreamSettings(), Ranks(rank, num_ranks, batch_size)
    dataset = VisitDataset(NumberedSamples(parts, seed, on_damage))
    visits = Visits(start_step, num_steps, max_jump, settings, ranks)
    # Workers go on while a row repeats its turns: the next rows must fit into what they make in advance.
    ahead = -(-settings.batches_in_turn * ranks.share // max(1, num_workers))
    items = iter(data_loader(dataset, visits, num_workers, max(2, ahead)))
    return Batches(_rows_in_turn(items, range(start_step, num_steps), settings, ranks.share))


def _rows_in_turn(
    items: Iterator[dict[str, Any] | Exception], steps: range, settings: StreamSettings, share: int
) -> Iterator[dict[str, Any] | Exception]:
    """Put the samples of visits together to the batches of the steps."""
    rows: dict[int, list[dict[str, Any]]] = {}
    given: dict[int, int] = {}
    for step in steps:
        row, draw = row_of_step(step, settings)
        if row not in rows:
            visits = [next(items) for _ in range(share)]
            for visit in visits:
                if isinstance(visit, Exception):
                    yield visit
                    return  # the samples of this row cannot be put together, and so no later step has its place
            rows[row], given[row] = visits, 0
        # A row that was open when the run stopped lacks its first draws.
        yield _batch_of(rows[row], given[row])
        given[row] += 1
        if draw == settings.samples_per_clip - 1:
            del rows[row], given[row]


def _batch_of(visits: Sequence[dict[str, Any]], number: int) -> dict[str, Any]:
    batch: dict[str, Any] = {}
    for name, first in visits[0].items():
        values = [visit[name][number] for visit in visits]
        batch[name] = torch.stack(values) if isinstance(first, torch.Tensor) else values
    return {**batch, "damaged": [line for lines in batch["damaged"] for line in lines]}
