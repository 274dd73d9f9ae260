"""A global batch: how it is divided, into micro-batches, over processes, and into forward passes; where it lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Batch = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BatchDivision:
    """The division of a global batch of `batch_size` samples.

    Batch statistics are over `micro_batch` samples, and each of `num_ranks` processes owns the same number of whole
    micro-batches, a contiguous share of the batch. Where no batch statistics are learnt, `per_forward` micro-batches go
    through the network at once (None: the whole share), which changes nothing but rounding, memory and speed.

    ValueError when the batch cannot be divided so.
    """

    batch_size: int
    micro_batch: int
    num_ranks: int = 1
    per_forward: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "micro_batch", "num_ranks", "per_forward"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a positive number")
        size, micro = self.batch_size, self.micro_batch
        if size % micro:
            raise ValueError(
                f"batch_size is {size}, it must be a multiple of the stage's micro-batch of {micro} samples; give "
                f"{max(1, size // micro) * micro} or {(size // micro + 1) * micro}"
            )
        count = size // micro
        if count % self.num_ranks:
            possible = [str(number) for number in range(1, count + 1) if count % number == 0]
            raise ValueError(
                f"a batch of {size} is {count} micro-batches of {micro} samples, which {self.num_ranks} processes "
                f"cannot share equally; start {' or '.join(possible)} of them, or give a batch_size that is a multiple "
                f"of {micro * self.num_ranks}"
            )

    @property
    def share(self) -> int:
        """Samples of one process."""
        return self.batch_size // self.num_ranks

    def forward_passes(self, learns_statistics: bool) -> list[range]:
        """Return the rows of a process's share that go through the network together, one range a forward pass."""
        whole = self.share if self.per_forward is None else min(self.share, self.per_forward * self.micro_batch)
        rows = self.micro_batch if learns_statistics else whole
        return [range(first, min(first + rows, self.share)) for first in range(0, self.share, rows)]


def rows_of(batch: Batch, rows: range) -> dict[str, Any]:
    """Return the given samples of a batch; tensors and lists have one row a sample, other values are for all."""
    chosen = slice(rows.start, rows.stop)
    return {name: value[chosen] if isinstance(value, Tensor | list) else value for name, value in batch.items()}


def to_device(batch: Batch, device: torch.device) -> dict[str, Any]:
    """Return the batch with its tensors on `device`."""
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }
