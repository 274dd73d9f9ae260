"""Dropout whose mask belongs to a sample, not to its place in a batch, on a rank or on a device."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

MASK64 = (1 << 64) - 1


class KeyedDropout(nn.Module):
    """Dropout that draws the mask of batch row i from the generator seeded by key i.

    `set_dropout_keys` gives the keys before a forward; several forwards under the same keys drop the same elements.
    The draw is on the CPU, so that every device drops the same. In evaluation mode, or with p = 0, it is the identity.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout of {p}; give the fraction of elements to drop, 0 <= p < 1")
        self.p = p
        self.keys: tuple[int, ...] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x (B, ...), each with probability p, and scale the others by 1 / (1 - p)."""
        if not self.training or self.p == 0:
            return x
        return x * self._kept(tuple(x.shape)).to(x.device) / (1 - self.p)

    @torch.compiler.disable
    def _kept(self, shape: tuple[int, ...]) -> Tensor:
        if self.keys is None or len(self.keys) != shape[0]:
            found = "none are set" if self.keys is None else f"{len(self.keys)} are set"
            raise ValueError(
                f"dropout in training needs a key for each of the {shape[0]} rows of the batch, but {found}; "
                "call set_dropout_keys(network, keys) before the forward"
            )
        generator = torch.Generator()
        keep = torch.empty(shape, dtype=torch.bool)
        for row, key in zip(keep, self.keys, strict=True):
            row.copy_(torch.rand(row.shape, generator=generator.manual_seed(key)) >= self.p)
        return keep

    def extra_repr(self) -> str:
        return f"p={self.p}"


def set_dropout_keys(network: nn.Module, keys: Tensor) -> None:
    """Give every `KeyedDropout` of a network the keys of the batch that comes next: int64 (B,), one for each row.

    Every layer draws its own numbers from a key. A key stands for all that the mask may depend on, such as run, step
    and sample.
    """
    values = [int(key) & MASK64 for key in keys.tolist()]
    for index, layer in enumerate(_dropouts(network)):
        # A CPU generator takes 32 bits of its seed: all 64 of the key are mixed into them.
        layer.keys = tuple(_mixed(value + (index + 1) * 0x9E3779B97F4A7C15) >> 32 for value in values)


def _dropouts(network: nn.Module) -> Iterator[KeyedDropout]:
    return (module for module in network.modules() if isinstance(module, KeyedDropout))


def _mixed(value: int) -> int:
    """SplitMix64's output function (Steele, Lea and Flood, OOPSLA 2014): every bit depends on all 64."""
    value &= MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK64
    return value ^ (value >> 31)
