"""Difference maps: where a new interaction added to and took from a mask, seen in another frame (MiVOS, Sec. 3.3).

B batch (one row an object), C channels, H W pixels, h w stride-16 cells.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .memory import read
from .precision import at_least_float32


def difference_maps(
    old: Tensor, new: Tensor, memory_key: Tensor, query_key: Tensor, top_k: int | None = None
) -> tuple[Tensor, Tensor]:
    """Carry the difference of two masks of the interacted frame to the target frame: A+ and A-, (B, 1, H, W) in [0, 1].

    old, new (B, 1, H, W) in [0, 1]: the object before and after the interaction; memory_key (B, Ck, h, w): the
    interacted frame, memorised with the new mask; query_key (B, Ck, h, w): the target frame. What was added and what
    was removed is averaged over cells, moved by the propagation network's affinity and enlarged bilinearly.
    The affinity is the full softmax, as in the published code; `top_k` keeps the k best cells, as the paper's text
    reads. Computed in at least float32 also under autocast. Raises ValueError when shapes disagree.
    """
    if old.shape != new.shape or old.dim() != 4 or old.shape[1] != 1:
        raise ValueError(f"the masks are {tuple(old.shape)} and {tuple(new.shape)}; both must be (B, 1, H, W)")
    with torch.autocast(old.device.type, enabled=False):
        change = at_least_float32(new) - at_least_float32(old)
        differences = torch.cat([change.clamp(min=0), (-change).clamp(min=0)], dim=1)
        cells = F.interpolate(differences, size=memory_key.shape[-2:], mode="area")
        moved = read(memory_key[:, :, None], cells[:, :, None], query_key, top_k)
        maps = F.interpolate(moved, size=old.shape[-2:], mode="bilinear", align_corners=False)
    return maps[:, :1], maps[:, 1:]
