"""The processes that train together: sums and messages between them. One process alone needs none of torch's groups."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Value = TypeVar("Value")
BUCKET_ELEMENTS = 16 * 2**20
"""Gradients travel in pieces of about this many numbers (64 MiB of float32): few messages, little extra memory."""


class PreparationFailed(ValueError):
    """What must succeed on every process before training failed on one; all raise it, with that process's message."""


@dataclass(frozen=True, kw_only=True)
class RankGroup:
    """One of `num_ranks` processes that compute each update together; torch's default process group connects them.

    device: where this process trains, None where it may choose itself.
    """

    rank: int = 0
    num_ranks: int = 1
    device: torch.device | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and speaks to people."""
        return self.rank == 0

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate the tensors of all processes, of one shape, in their order: (M, ...) -> (num_ranks * M, ...)."""
        if self.num_ranks == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.num_ranks)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        if self.num_ranks == 1:
            return flag
        flags = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        return bool(flags.item())

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by the sum of those of all processes.

        A parameter without a gradient anywhere keeps none; one that lacks it in some processes counts as 0 there.
        """
        if self.num_ranks == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        present = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=self.device)
        dist.all_reduce(present, op=dist.ReduceOp.MAX)
        gradients = []
        for parameter, anywhere in zip(trained, present.tolist(), strict=True):
            if anywhere:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                gradients.append(parameter.grad)
        pending = []
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            pending.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in pending:
            work.wait()
            for gradient, summed in zip(bucket, flat.split([part.numel() for part in bucket]), strict=True):
                gradient.copy_(summed.view_as(gradient))

    def together(self, make: Callable[[], Value]) -> Value:
        """Return what `make` gives in this process; PreparationFailed everywhere when it fails in any process.

        Only mistakes of the user (ValueError, OSError) are shared: other errors end the process, and its launcher the
        others.
        """
        if self.num_ranks == 1:
            return make()
        value, message = None, None
        try:
            value = make()
        except (ValueError, OSError) as error:
            message = str(error)
        messages: list[str | None] = [None] * self.num_ranks
        dist.all_gather_object(messages, message)
        failed = [rank for rank, text in enumerate(messages) if text is not None]
        if failed:
            where = "" if failed[0] == 0 else f"process {failed[0]} of {self.num_ranks}: "
            raise PreparationFailed(f"{where}{messages[failed[0]]}")
        return value

    def from_first(self, value: Any) -> Any:
        """Return the value of the first process: tensors (which arrive on the CPU) and plain data."""
        if self.num_ranks == 1:
            return value
        content: list[bytes | None] = [None]
        if self.is_first:
            buffer = io.BytesIO()
            torch.save(value, buffer)
            content[0] = buffer.getvalue()
        dist.broadcast_object_list(content, src=0, device=self.device)
        return value if self.is_first else torch.load(io.BytesIO(content[0]), map_location="cpu", weights_only=True)


ALONE = RankGroup()


def _buckets(gradients: list[Tensor]) -> Iterable[list[Tensor]]:
    """Cut the list, in its order, into pieces of one dtype and about BUCKET_ELEMENTS numbers."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (gradient.dtype != bucket[0].dtype or size + gradient.numel() > BUCKET_ELEMENTS):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    if bucket:
        yield bucket
