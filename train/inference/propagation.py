"""Propagates a first mask through a video (MiVOS, CVPR 2021, Sec. 3.2, after STM). N objects, H W pixels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...datagen.corpus.records import IGNORE_ID
from ...models.aggregate import soft_aggregate
from ...models.propagation import PropagationNetwork
from .geometry import FrameGeometry
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
    ids = ids_of(first_ids)
    lookup = np.array([0, *ids], np.uint8)
    for index, soft in enumerate(propagate_soft(network, frames, first_ids, settings, ids=ids)):
        yield first_ids.copy() if index == 0 else lookup[soft.argmax(dim=0).cpu().numpy()]


def ids_of(ids: np.ndarray) -> list[int]:
    """Return the ids of the objects in a mask, ascending: neither background nor ignored pixels."""
    return [int(value) for value in np.unique(ids) if value not in (0, IGNORE_ID)]


def propagate_soft(
    network: PropagationNetwork,
    frames: Iterable[np.ndarray],
    first_ids: np.ndarray,
    settings: PropagationSettings,
    *,
    ids: Sequence[int],
    certain: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> Iterator[Tensor]:
    """Yield the aggregated probabilities of background and objects per frame, those of the first frame 0 and 1.

    As `propagate`, but float32 (N + 1, H, W) on the device, background first, then the objects `ids` in their order;
    other ids of first_ids are background. certain: further frames with their true ids that are in memory from the start
    and stay there (MiVOS: all frames that were interacted with).
    """
    device = torch.device(settings.device)
    network = network.to(device).eval()
    bank = MemoryBank(settings.max_memory_frames, num_given=1 + len(certain))
    geometry = FrameGeometry.of(*first_ids.shape, settings.short_side)
    pending: tuple[Tensor, Tensor, bool] | None = None

    def enter(name: str, frame: np.ndarray) -> Tensor:
        if frame.shape != (*first_ids.shape, 3) or frame.dtype != np.uint8:
            raise ValueError(f"{name} is {frame.dtype} {frame.shape}, expected uint8 {(*first_ids.shape, 3)}")
        return geometry.enter_picture(frame, network.mean)

    for index, frame in enumerate(frames):
        with torch.inference_mode():
            rgb = enter(f"frame {index}", frame)
            if index == 0:
                for other, other_ids in certain if ids else ():
                    masks = geometry.enter(_masks(other_ids, ids).to(device))
                    _memorize(network, bank, enter("a certain frame", other), masks, True, settings.objects_per_pass)
                masks = _masks(first_ids, ids).to(device)
                result = torch.cat([1 - masks.sum(dim=0), masks[:, 0]])
                masks = geometry.enter(masks)
            elif not ids:
                result = torch.ones(1, *first_ids.shape, device=device)
            else:
                # Memorised only now: the last frame of a video never is.
                _memorize(network, bank, *pending, settings.objects_per_pass)
                masks = _segment(network, bank, rgb, settings)
                result = soft_aggregate(geometry.leave(masks))[:, 0]
                masks = soft_aggregate(masks)[1:]
            pending = (rgb, masks, index % settings.memory_every == 0)
        yield result


def _masks(ids: np.ndarray, chosen: Sequence[int]) -> Tensor:
    """The masks of the objects `chosen`, float32 (N, 1, H, W)."""
    masks = [torch.from_numpy(ids == value) for value in chosen]
    return torch.stack(masks)[:, None].float() if masks else torch.zeros(0, 1, *ids.shape)


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
