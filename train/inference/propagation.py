"""Propagates a first mask through a video (MiVOS, CVPR 2021, Sec. 3.2, after STM). N objects, H W pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...datagen.corpus.records import IGNORE_ID
from ...models.aggregate import soft_aggregate
from ...models.propagation import PropagationNetwork
from .memory_bank import MemoryBank


@dataclass(frozen=True, kw_only=True)
class PropagationSettings:
    """How to propagate.

    memory_every: frames between permanent memory frames (5 as published); the previous frame is always in memory.
    top_k: memory cells read by each query cell (50 as published), None for all. short_side: pixels of the network
    input's shorter side, None for the video's own. max_memory_frames bounds memory and time on long videos (200 is
    1,000 frames at every 5). objects_per_pass bounds the decoder's batch.
    """

    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    device: str = "cpu"
    max_memory_frames: int = 200
    objects_per_pass: int = 8

    def __post_init__(self) -> None:
        for name in ("memory_every", "top_k", "short_side", "objects_per_pass"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a positive number")


def propagate(
    network: PropagationNetwork,
    frames: Iterable[np.ndarray],
    first_ids: np.ndarray,
    settings: PropagationSettings,
) -> Iterator[np.ndarray]:
    """Yield one id mask per frame, the first being `first_ids` itself.

    frames: uint8 (H, W, 3) RGB, all of one size; first_ids: uint8 (H, W), 0 background, 255 ignored (taken as
    background), any other ids, contiguous or not. Yields uint8 (H, W) with those ids, each before the next frame is
    asked for. Raises ValueError on a frame of another size.
    The network is left in evaluation mode on `settings.device`.
    """
    device = torch.device(settings.device)
    network = network.to(device).eval()
    ids = [int(value) for value in np.unique(first_ids) if value not in (0, IGNORE_ID)]
    lookup = torch.tensor([0, *ids], dtype=torch.uint8)
    bank = MemoryBank(settings.max_memory_frames)
    geometry: _Geometry | None = None
    pending: tuple[Tensor, Tensor, bool] | None = None
    for index, frame in enumerate(frames):
        if frame.shape != (*first_ids.shape, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame {index} is {frame.dtype} {frame.shape}, expected uint8 {(*first_ids.shape, 3)}")
        if not ids:
            yield first_ids.copy() if index == 0 else np.zeros_like(first_ids)
            continue
        with torch.inference_mode():
            geometry = geometry or _Geometry.of(*first_ids.shape, settings.short_side)
            rgb = torch.from_numpy(np.ascontiguousarray(frame)).to(device).permute(2, 0, 1)[None].float() / 255
            # Padding is zero after normalisation, as published: the mean colour before it.
            rgb = geometry.enter(rgb - network.mean) + network.mean
            if index == 0:
                masks = torch.stack([torch.from_numpy(first_ids == value) for value in ids])[:, None].float()
                masks, result = geometry.enter(masks.to(device)), first_ids.copy()
            else:
                # Memorised only now: the last frame of a video never is.
                _memorize(network, bank, *pending, settings.objects_per_pass)
                masks = _segment(network, bank, rgb, settings)
                classes = soft_aggregate(geometry.leave(masks))[:, 0].argmax(dim=0)
                result = lookup[classes.cpu()].numpy()
                masks = soft_aggregate(masks)[1:]
            pending = (rgb, masks, index % settings.memory_every == 0)
        yield result


def _memorize(
    network: PropagationNetwork, bank: MemoryBank, rgb: Tensor, masks: Tensor, permanent: bool, group: int
) -> None:
    others = masks.sum(dim=0, keepdim=True) - masks
    encoded = [
        network.memorize(rgb.expand(len(part), -1, -1, -1), part, rest)
        for part, rest in zip(masks.split(group), others.split(group), strict=True)
    ]
    keys, values = zip(*encoded, strict=True)
    bank.add(torch.cat(keys), torch.cat(values), permanent)


def _segment(network: PropagationNetwork, bank: MemoryBank, rgb: Tensor, settings: PropagationSettings) -> Tensor:
    query = network.encode_query(rgb)
    keys, values = bank.read()
    group = settings.objects_per_pass
    logits = [
        network.segment(query.for_objects(len(key)), key, value, settings.top_k)
        for key, value in zip(keys.split(group), values.split(group), strict=True)
    ]
    return torch.cat(logits).sigmoid()


@dataclass(frozen=True, kw_only=True)
class _Geometry:
    """From the video's pixels to the network's input and back."""

    size: tuple[int, int]
    inner: tuple[int, int]
    padding: tuple[int, int, int, int]

    @classmethod
    def of(cls, height: int, width: int, short_side: int | None) -> "_Geometry":
        scale = 1.0 if short_side is None else short_side / min(height, width)
        inner = (max(1, round(height * scale)), max(1, round(width * scale)))
        rows, columns = (-inner[0] % 16, -inner[1] % 16)
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return cls(size=(height, width), inner=inner, padding=padding)

    def enter(self, x: Tensor) -> Tensor:
        """(N, C, H, W) of the video -> the network's size, padded symmetrically with zeros to multiples of 16."""
        if self.inner != self.size:
            x = F.interpolate(x, self.inner, mode="bilinear", align_corners=False, antialias=True)
        return F.pad(x, self.padding)

    def leave(self, x: Tensor) -> Tensor:
        """The inverse of `enter`."""
        left, _, top, _ = self.padding
        x = x[..., top : top + self.inner[0], left : left + self.inner[1]]
        return x if self.inner == self.size else F.interpolate(x, self.size, mode="bilinear", align_corners=False)
