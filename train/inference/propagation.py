"""Propagates given masks through a video (MiVOS, CVPR 2021, Sec. 3.2, after STM). N objects, H W pixels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ...datagen.corpus.records import IGNORE_ID
from ...models.aggregate import most_likely
from ...models.propagation import PropagationNetwork
from .geometry import FrameGeometry
from .mask_carrier import MaskCarrier, check_frame
from .propagation_settings import PropagationSettings


def propagate(
    network: PropagationNetwork,
    frames: Iterable[np.ndarray],
    first_ids: np.ndarray | Mapping[int, np.ndarray],
    settings: PropagationSettings,
) -> Iterator[np.ndarray]:
    """Yield one id mask per frame, the first being `first_ids` itself.

    frames: uint8 (H, W, 3) RGB, all of one size; first_ids: uint8 (H, W), 0 background, 255 ignored (taken as
    background), any other ids, contiguous or not. Objects that come in later (YouTube-VOS): a mapping, frame number ->
    ids of the objects that come in there; their pixels become theirs, the others keep what was carried to them, and the
    frame stays in memory. Yields uint8 (H, W) with those ids, each before the next frame is asked for. Raises
    ValueError on a frame of another size, and for an object that comes in twice.
    The network is left in evaluation mode on `settings.device`.
    """
    given = first_ids if isinstance(first_ids, Mapping) else {0: first_ids}
    size = _size_of(given)
    device = torch.device(settings.device)
    geometry = FrameGeometry.of(*size, settings.short_side)
    carrier = MaskCarrier(network.to(device).eval(), geometry, settings)
    known: list[int] = []
    for t, frame in enumerate(frames):
        check_frame(f"frame {t}", frame, size)
        ids, soft = np.zeros(size, np.uint8), torch.ones(1, *size, device=device)
        if known:
            soft = carrier.carry(frame, f"frame {t}").soft
            ids = np.array([0, *known], np.uint8)[most_likely(soft).to(torch.uint8).cpu().numpy()]
        new = ids_of(given[t]) if t in given else []
        if new:
            if again := sorted(set(new) & set(known)):
                raise ValueError(f"object {again[0]} comes in at frame {t}, but it is known from an earlier frame")
            known += new
            fresh = masks_of(given[t], new).to(device)
            masks = torch.cat([soft[1:, None] * (1 - fresh.sum(dim=0)), fresh])
            carrier.give(frame, masks, len(new), f"frame {t}")
            ids = np.where(np.isin(given[t], new), given[t], ids)
        yield given[0].copy() if t == 0 and 0 in given else ids


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
    geometry = FrameGeometry.of(*first_ids.shape, settings.short_side)
    carrier = MaskCarrier(network.to(device).eval(), geometry, settings)
    for index, frame in enumerate(frames):
        if index == 0:
            given = [(f"certain frame {number}", *one) for number, one in enumerate(certain)]
            if ids:
                every = [*given, ("frame 0", frame, first_ids)]
                carrier.remember([carrier.encode(picture, masks_of(one, ids), name) for name, picture, one in every])
            masks = masks_of(first_ids, ids).to(device)
            yield torch.cat([1 - masks.sum(dim=0), masks[:, 0]])
        elif ids:
            yield carrier.carry(frame, f"frame {index}").soft
        else:
            check_frame(f"frame {index}", frame, first_ids.shape)
            yield torch.ones(1, *first_ids.shape, device=device)


def masks_of(ids: np.ndarray, chosen: Sequence[int]) -> Tensor:
    """The masks of the objects `chosen`, float32 (N, 1, H, W)."""
    masks = [torch.from_numpy(ids == value) for value in chosen]
    return torch.stack(masks)[:, None].float() if masks else torch.zeros(0, 1, *ids.shape)


def _size_of(given: Mapping[int, np.ndarray]) -> tuple[int, int]:
    sizes = {ids.shape for ids in given.values()}
    if len(sizes) != 1:
        raise ValueError(f"the given masks are of {len(sizes)} sizes {sorted(sizes)}; give one or more of one size")
    return sizes.pop()
