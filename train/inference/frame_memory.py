"""Frames memorised with their masks, and other frames segmented from them. N objects, C channels, H W pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.propagation import PropagationNetwork, QueryFeatures
from .memory_bank import MemoryBank


@dataclass(frozen=True, kw_only=True)
class MemorisedFrame:
    """What the memory encoder makes of a frame: key (N, Ck, h, w), value (N, Cv, h, w), one object a row."""

    key: Tensor
    value: Tensor

    def split(self, sizes: Sequence[int]) -> tuple["MemorisedFrame", ...]:
        """Its rows in parts of these sizes."""
        parts = zip(self.key.split(list(sizes)), self.value.split(list(sizes)), strict=True)
        return tuple(MemorisedFrame(key=key, value=value) for key, value in parts)


class FrameMemory:
    """The memory of a propagation network in one pass over a video.

    max_frames, num_given: see `MemoryBank`. top_k: memory cells that a query cell reads, None for all.
    objects_per_pass bounds the batches.
    """

    def __init__(
        self,
        network: PropagationNetwork,
        *,
        max_frames: int,
        num_given: int,
        top_k: int | None,
        objects_per_pass: int,
    ) -> None:
        self._network = network
        self._bank = MemoryBank(max_frames, num_given)
        self._top_k = top_k
        self._group = objects_per_pass

    def add(self, frame: MemorisedFrame, permanent: bool) -> None:
        """Add a frame, permanent or in the temporary frame's place; the given ones come first."""
        self._bank.add(frame.key, frame.value, permanent)

    def segment(self, query: QueryFeatures) -> Tensor:
        """Segment one frame, every object by itself: probabilities (N, 1, H, W)."""
        keys, values = self._bank.read()
        logits = [
            self._network.segment(query.for_objects(len(key)), key, value, self._top_k)
            for key, value in zip(keys.split(self._group), values.split(self._group), strict=True)
        ]
        return torch.cat(logits).sigmoid()


def encode_frame(network: PropagationNetwork, rgb: Tensor, masks: Tensor, objects_per_pass: int) -> MemorisedFrame:
    """Encode a frame (1, 3, H, W) in [0, 1] with the masks (N, 1, H, W) in [0, 1] of its objects."""
    others = masks.sum(dim=0, keepdim=True) - masks
    encoded = [
        network.memorize(rgb.expand(len(part), -1, -1, -1), part, rest)
        for part, rest in zip(masks.split(objects_per_pass), others.split(objects_per_pass), strict=True)
    ]
    keys, values = zip(*encoded, strict=True)
    return MemorisedFrame(key=torch.cat(keys), value=torch.cat(values))
