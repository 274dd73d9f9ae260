"""Running statistics of batch norm, learnt micro-batch by micro-batch, whatever process a micro-batch is given to."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class BatchStatistics:
    """Takes the running statistics of a network's batch-norm layers out of the forward passes, and merges them later.

    A layer that is called k times in a micro-batch moves its running statistics r to (1 - m)^k r + d, m its momentum
    and d made of the batch's statistics alone. `micro_batch` records k and d, and `merge` puts those of all
    micro-batches of all processes after one another, in their order. So every process holds what one process that
    ran them in turn would hold.

    ValueError for a layer whose momentum is None: such a mean over all batches of a run is not of this form.
    """

    def __init__(self, network: nn.Module) -> None:
        named = [
            (name, layer)
            for name, layer in network.named_modules()
            if isinstance(layer, _BATCH_NORMS) and layer.track_running_stats
        ]
        for name, layer in named:
            if layer.momentum is None:
                raise ValueError(f"batch-norm layer {name} has momentum None; give it a number, such as 0.1")
        self._layers = [layer for _, layer in named]
        self._buffers = [buffer for layer in self._layers for buffer in (layer.running_mean, layer.running_var)]
        # The layer of each element of the flattened statistics.
        self._layer_of = [
            index for index, layer in enumerate(self._layers) for _ in range(2 * layer.running_mean.numel())
        ]
        self._recorded: list[Tensor] = []

    @contextlib.contextmanager
    def micro_batch(self) -> Iterator[None]:
        """Record the statistics of the forward passes of one micro-batch; the layers keep those that they had.

        Layers in evaluation mode, those of a frozen part, need what they have and learn nothing.
        """
        if not self._layers:
            yield
            return
        before = self._flat()
        learning = self._learning().to(before.device)
        self._write(before.where(~learning, 0))
        try:
            yield
            self._recorded.append(self._flat().where(learning, 0))
        finally:
            self._write(before)

    def merge(self, gather: Callable[[Tensor], Tensor]) -> None:
        """Merge what all processes have recorded since the last merge.

        gather: own (M, S) float64 -> (processes * M, S), in the order of the processes; M micro-batches a process.
        """
        if not self._recorded:
            return
        recorded = gather(torch.stack(self._recorded))
        self._recorded = []
        state = self._flat()
        num_layers = len(self._layers)
        layer_of = torch.tensor(self._layer_of, device=state.device)
        kept = 1 - torch.tensor([layer.momentum for layer in self._layers], dtype=state.dtype, device=state.device)
        statistics, calls = state[:-num_layers], state[-num_layers:]
        for row in recorded:
            statistics = statistics * (kept ** row[-num_layers:])[layer_of] + row[:-num_layers]
            calls = calls + row[-num_layers:]
        self._write(torch.cat([statistics, calls]))

    def forget(self) -> None:
        """Forget what was recorded since the last merge."""
        self._recorded = []

    def _learning(self) -> Tensor:
        """Whether the layer of each of `_flat`'s elements is in training mode: bool."""
        layers = torch.tensor([layer.training for layer in self._layers])
        return torch.cat([layers[torch.tensor(self._layer_of)], layers])

    def _flat(self) -> Tensor:
        """All statistics, then the number of calls of each layer: float64, which holds float32 and counts exactly."""
        parts = [buffer.flatten() for buffer in self._buffers]
        parts += [layer.num_batches_tracked.view(1) for layer in self._layers]
        return torch.cat([part.double() for part in parts])

    def _write(self, flat: Tensor) -> None:
        counts = [layer.num_batches_tracked for layer in self._layers]
        targets = [*self._buffers, *counts]
        for target, values in zip(targets, flat.split([target.numel() for target in targets]), strict=True):
            # Past autograd's eyes: the backward pass in training mode holds the running statistics, but does not use
            # them, and would refuse changed ones.
            target.data.copy_(values.view_as(target))
