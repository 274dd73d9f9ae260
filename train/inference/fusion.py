"""Fusion of the masks of two interactions (MiVOS, CVPR 2021, Sec. 3.3). B frames, N objects, C channels, H W pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...models.difference import difference_maps
from ...models.fusion import FusionNetwork
from ...models.propagation import PropagationNetwork
from ..networks import as_trained


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """A frame that was interacted with, one object a row: what the interaction changed, and the key of the frame.

    before, after: (B * N, 1, H, W) in [0, 1]; key: (B * N, Ck, h, w), memorised with the masks after it.
    """

    before: Tensor
    after: Tensor
    key: Tensor

    def rows(self, rows: slice) -> "Interaction":
        """Some of the rows."""
        return Interaction(before=self.before[rows], after=self.after[rows], key=self.key[rows])


@torch.no_grad()
def memorize_interaction(propagation: PropagationNetwork, rgb: Tensor, before: Tensor, after: Tensor) -> Interaction:
    """Memorise the frames of an interaction: rgb (B, 3, H, W) in [0, 1], before and after (B, N, H, W) in [0, 1]."""
    others = (after.sum(dim=1, keepdim=True) - after).flatten(0, 1)[:, None]
    rows = after.flatten(0, 1)[:, None]
    key = propagation.memory_key(rgb.repeat_interleave(after.shape[1], dim=0), rows, others)
    return Interaction(before=before.flatten(0, 1)[:, None], after=rows, key=key)


def fused_logits(
    network: FusionNetwork,
    interaction: Interaction,
    query_key: Tensor,
    rgb: Tensor,
    previous: Tensor,
    new: Tensor,
    distances: Tensor,
    top_k: int | None = None,
) -> Tensor:
    """Fuse the masks that stood in frames and those that a new interaction brought there: logits (B, N, H, W).

    query_key (B, Ck, h, w): of the frames, by the propagation network. rgb (B, 3, H, W), previous and new (B, N, H, W)
    in [0, 1]. distances (B, 2): of the frames from the previous interaction and from the new one, over the distance of
    the two. top_k: see `difference_maps`.
    """
    num_objects = previous.shape[1]
    keys = query_key.repeat_interleave(num_objects, dim=0)
    a_plus, a_minus = difference_maps(interaction.before, interaction.after, interaction.key, keys, top_k)
    repeated = distances.repeat_interleave(num_objects, dim=0)
    logits = network(
        rgb=rgb.repeat_interleave(num_objects, dim=0),
        previous_mask=previous.flatten(0, 1)[:, None],
        new_mask=new.flatten(0, 1)[:, None],
        a_plus=a_plus,
        a_minus=a_minus,
        previous_distance=repeated[:, 0],
        new_distance=repeated[:, 1],
    )
    return logits[:, 0].unflatten(0, previous.shape[:2])


def attention_cells(network: FusionNetwork | None, asked: int | None) -> int | None:
    """`top_k` of `fused_logits`: as asked, 0 for all cells, and None for what the network was trained with."""
    return as_trained(network, "top_k", None, asked) or None


def blend_linearly(previous: Tensor, new: Tensor, distances: Tensor) -> Tensor:
    """Blend masks by distance alone, the nearer interaction weighing more: (B, N, H, W) in [0, 1].

    Arguments as in `fused_logits`. Between the interactions the weights are the two distances, crossed.
    """
    weights = (distances.flip(1) / distances.sum(dim=1, keepdim=True))[:, :, None, None, None]
    return weights[:, 0] * previous + weights[:, 1] * new
