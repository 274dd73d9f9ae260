"""Global and local transfer of ATNet (Heo et al., ECCV 2020): annotated and neighbouring frames tell about a target.

B batch (frames), K objects of a frame (rows of a frame side by side), C channels, h w cells of stride 16, H4 W4 of 4.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .precision import at_least_float32


def transition_matrix(annotated: Tensor, target: Tensor, scale: float = 1.0) -> Tensor:
    """Where every cell of an annotated frame goes in the target frame: (B, h * w, h' * w'), every row sums to one.

    annotated (B, C, h, w), target (B, C, h', w'): features of the frames. Inner products times `scale` (published: 1),
    softmax over the target's cells; at least float32, for inner products of 2048 channels pass bfloat16's precision.
    """
    ours, theirs = at_least_float32(annotated).flatten(2), at_least_float32(target).flatten(2)
    with torch.autocast(ours.device.type, enabled=False):
        return torch.softmax(torch.bmm(ours.transpose(1, 2) * scale, theirs), dim=2)


def global_transfer(
    target: Tensor,
    annotated: Sequence[Tensor],
    objects: Sequence[Tensor],
    scale: float = 1.0,
    known: Sequence[Tensor] | None = None,
) -> Tensor:
    """Object features of N annotated frames moved to the target frame, and averaged over the frames: (B * K, C', h, w).

    target (B, C, h, w); annotated: N features (B, C, h, w) of the same encoder; objects: N features (B * K, C', h, w).
    known: N times bool (B * K,), the objects that an annotated frame tells of, over which alone their features are
    averaged (0 for one that none tells of); None for all. The affinity of two frames is computed once for all objects,
    and one annotated frame at a time, so that memory does not grow with N. ValueError without an annotated frame, or
    where the lists differ in length.
    """
    if not annotated or len({len(annotated), len(objects), len(annotated if known is None else known)}) > 1:
        raise ValueError(
            f"{len(annotated)} annotated frames and {len(objects)} object features; give one of each a frame, at least "
            "one"
        )
    num_frames, _, height, width = target.shape
    if known is None:
        known = [torch.ones(len(objects[0]), dtype=torch.bool, device=target.device)] * len(objects)
    times = torch.stack(list(known)).sum(dim=0).clamp(min=1)
    moved = None
    for frame, features, told in zip(annotated, objects, known, strict=True):
        matrix = transition_matrix(frame, target, scale)
        rows = at_least_float32(features).flatten(2).reshape(num_frames, -1, matrix.shape[1])
        with torch.autocast(matrix.device.type, enabled=False):
            one = torch.bmm(rows, matrix).view(*features.shape[:2], height, width)
        one = torch.where(told.view(-1, 1, 1, 1), one, 0)
        moved = one if moved is None else moved + one
    return (moved / times.view(-1, 1, 1, 1)).to(objects[0].dtype)


def displacements(reach: int, stride: int) -> tuple[tuple[int, int], ...]:
    """The (dy, dx) of local transfer, `reach` steps of `stride` cells to all sides: 81 for 4 steps of 2."""
    steps = range(-reach * stride, reach * stride + 1, stride)
    return tuple((dy, dx) for dy in steps for dx in steps)


def local_transfer(target: Tensor, previous: Tensor, mask: Tensor, reach: int = 4, stride: int = 2) -> Tensor:
    """The previous frame's mask moved to the target frame within a neighbourhood: (B, 1, H4, W4), at least float32.

    target, previous (B, C, H4, W4): features of the frames; mask (B, 1, H4, W4) in [0, 1], the previous frame's.
    A cell of the target gets the mean of the mask over the displaced cells, weighted by a softmax over the inner
    products with them (divided by C); cells outside of the frame have inner product and mask 0.
    Published code takes the softmax along rows of the frame; ours, as the paper says, over the displacements.
    """
    target, previous, mask = (at_least_float32(x) for x in (target, previous, mask))
    height, width = target.shape[-2:]
    edge = reach * stride
    around, masks = (F.pad(x, (edge, edge, edge, edge)) for x in (previous, mask))
    windows = [
        (slice(edge + dy, edge + dy + height), slice(edge + dx, edge + dx + width))
        for dy, dx in displacements(reach, stride)
    ]
    with torch.autocast(target.device.type, enabled=False):
        products = [(target * around[:, :, rows, columns]).mean(dim=1) for rows, columns in windows]
        weights = torch.softmax(torch.stack(products, dim=1), dim=1)
        displaced = torch.cat([masks[:, :, rows, columns] for rows, columns in windows], dim=1)
        return (weights * displaced).sum(dim=1, keepdim=True)
