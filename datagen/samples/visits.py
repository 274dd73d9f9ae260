"""The plan of streaming: which clip visit and which draw of it belong to each step, by arithmetic alone.

A row is one visit for each sample of a batch. `batches_in_turn` rows are open at once and take turns, until each has
given `samples_per_clip` batches; then the next rows open. Visit v is position v of the epoch order, so that with one
sample per clip streaming gives the samples of random access, in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How a stream of clips becomes batches.

    samples_per_clip: samples drawn from a clip while it is in memory. batches_in_turn: rows of clips that take turns,
    so that two batches of the same clips do not follow each other. Memory of undelivered samples: about
    2 * batches_in_turn * samples_per_clip batches of uint8 pictures (1.8 MB a sample of 384x384).
    """

    samples_per_clip: int = 4
    batches_in_turn: int = 2

    def __post_init__(self) -> None:
        for name in ("samples_per_clip", "batches_in_turn"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least 1")


class RowDraw(NamedTuple):
    """A step's batch: draw number `draw` of each visit of row `row`."""

    row: int
    draw: int


def row_of_step(step: int, settings: StreamSettings) -> RowDraw:
    """Return where the batch of a step comes from."""
    block, offset = divmod(step, settings.samples_per_clip * settings.batches_in_turn)
    draw, column = divmod(offset, settings.batches_in_turn)
    return RowDraw(block * settings.batches_in_turn + column, draw)


def rows_of_steps(start_step: int, num_steps: int, settings: StreamSettings) -> Iterator[tuple[int, list[int]]]:
    """Yield (row, its steps) for the steps start_step, ..., num_steps - 1, rows in the order of their first step.

    A row that is begun by an earlier start gives the rest of its steps only.
    """
    block_steps = settings.samples_per_clip * settings.batches_in_turn
    first_block, last_block = start_step // block_steps, -(-num_steps // block_steps)
    for block in range(first_block, last_block):
        steps: dict[int, list[int]] = {}
        for step in range(max(start_step, block * block_steps), min(num_steps, (block + 1) * block_steps)):
            steps.setdefault(row_of_step(step, settings).row, []).append(step)
        yield from steps.items()
