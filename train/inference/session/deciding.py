"""What stands in a frame between two interactions (MiVOS, CVPR 2021, Sec. 3.3). N objects, H W pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ....models.aggregate import soft_aggregate
from ....models.fusion import FusionNetwork
from ..frame_memory import MemorisedFrame
from ..fusion import Interaction, blend_linearly, fused_logits
from ..geometry import FrameGeometry
from ..mask_carrier import CarriedFrame


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an interaction changed in its frame: masks before and after it (N, 1, H, W), and the frame memorised."""

    before: Tensor
    after: Tensor
    memorised: MemorisedFrame


class FusionDecision:
    """Decides by a fusion network, or, without one, by blending with the distances.

    with_difference: False gives the network empty difference maps.
    """

    def __init__(
        self,
        network: FusionNetwork | None,
        geometry: FrameGeometry,
        change: Change,
        *,
        with_difference: bool,
        top_k: int | None,
        objects_per_pass: int,
    ) -> None:
        self._network, self._geometry = network, geometry
        self._top_k, self._group = top_k, objects_per_pass
        if network is not None:
            after = geometry.enter(change.after)
            before = geometry.enter(change.before) if with_difference else after
            self._interaction = Interaction(before=before, after=after, key=change.memorised.key)

    def fuse(self, carried: CarriedFrame, previous: Tensor, distances: tuple[float, float]) -> Tensor:
        """Probabilities (N + 1, H, W) of a frame: previous (N, H, W), that stood there, and those carried to it.

        distances: see `Pass.distances`.
        """
        new = carried.soft[1:]
        apart = torch.tensor([distances], device=new.device)
        if self._network is None:
            blended = blend_linearly(previous[None], new[None], apart)[0]
            return torch.cat([1 - blended.sum(dim=0, keepdim=True), blended])
        previous, new = self._geometry.enter(previous[None]), self._geometry.enter(new[None])
        logits = []
        for start in range(0, new.shape[1], self._group):
            rows = slice(start, start + self._group)
            logits.append(
                fused_logits(
                    self._network,
                    self._interaction.rows(rows),
                    carried.query.key,
                    carried.rgb,
                    previous[:, rows],
                    new[:, rows],
                    apart,
                    self._top_k,
                )
            )
        return soft_aggregate(self._geometry.leave(torch.cat(logits, dim=1).sigmoid())[0])
