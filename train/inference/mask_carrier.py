"""Carries masks from frame to frame (MiVOS, CVPR 2021, Sec. 3.2, after STM). N objects, H W pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.aggregate import soft_aggregate
from ...models.propagation import PropagationNetwork, QueryFeatures
from .frame_memory import FrameMemory, MemorisedFrame, encode_frame
from .geometry import FrameGeometry
from .propagation_settings import PropagationSettings


@dataclass(frozen=True, kw_only=True)
class CarriedFrame:
    """A frame that masks were carried to.

    soft: float32 (N + 1, H, W), background and objects by soft aggregation. rgb (1, 3, H', W') and query: the frame at
    the network's size, and its features.
    """

    soft: Tensor
    rgb: Tensor
    query: QueryFeatures


@dataclass(frozen=True, kw_only=True)
class _Pending:
    """The last frame, not yet memorised: rgb (1, 3, H', W'), masks (N, 1, H', W'), of them `num_new` at the end new."""

    rgb: Tensor
    masks: Tensor
    permanent: bool
    num_new: int = 0


class MaskCarrier:
    """Carries masks from one frame to the next, in one pass over a video.

    The network must be in evaluation mode on the device of the settings. The previous frame is in memory, and every
    `memory_every`-th stays there. Objects that come in together share a memory; later ones have their own, which begins
    where they come in.
    """

    def __init__(self, network: PropagationNetwork, geometry: FrameGeometry, settings: PropagationSettings) -> None:
        self._network, self._geometry, self._settings = network, geometry, settings
        self._memories: list[FrameMemory] = []
        self._num_objects: list[int] = []
        self._pending: _Pending | None = None
        self._num_carried = 0

    def encode(self, frame: np.ndarray, masks: Tensor, name: str = "the frame") -> MemorisedFrame:
        """Encode a frame, uint8 (H, W, 3), with the masks (N, 1, H, W) in [0, 1] of its objects."""
        with torch.inference_mode(), self._settings.autocast():
            rgb = self._enter(frame, name)
            entered = self._geometry.enter(masks.to(rgb.device))
            return encode_frame(self._network, rgb, entered, self._settings.objects_per_pass)

    def remember(self, given: Sequence[MemorisedFrame]) -> None:
        """Begin with objects that are in memory in frames with given masks, one or more; these stay in memory."""
        memory = FrameMemory(
            self._network,
            max_frames=self._settings.max_memory_frames,
            num_given=len(given),
            top_k=self._settings.top_k,
            objects_per_pass=self._settings.objects_per_pass,
        )
        with torch.inference_mode():
            for frame in given:
                memory.add(frame, permanent=True)
        self._memories.append(memory)
        self._num_objects.append(len(given[0].key))

    def give(self, frame: np.ndarray, masks: Tensor, num_new: int, name: str = "the frame") -> None:
        """Set the masks (N, 1, H, W) of the last frame, those of `num_new` objects that come in at the end of them."""
        with torch.inference_mode():
            rgb = self._enter(frame, name)
            entered = self._geometry.enter(masks.to(rgb.device))
            self._pending = _Pending(rgb=rgb, masks=entered, permanent=True, num_new=num_new)

    def carry(self, frame: np.ndarray, name: str = "the frame") -> CarriedFrame:
        """Carry the masks to the next frame, uint8 (H, W, 3); ValueError names one of another size."""
        with torch.inference_mode(), self._settings.autocast():
            rgb = self._enter(frame, name)
            if self._pending is not None:
                # Memorised only now: of the last frame nothing reads.
                self._memorise(self._pending)
            query = self._network.encode_query(rgb)
            masks = torch.cat([memory.segment(query) for memory in self._memories])
            shared = soft_aggregate(masks)
            # Pixel by pixel, so at one scale it is the same before and after the padding goes.
            same_scale = self._geometry.inner == self._geometry.size
            soft = self._geometry.leave(shared) if same_scale else soft_aggregate(self._geometry.leave(masks))
            self._num_carried += 1
            permanent = self._num_carried % self._settings.memory_every == 0
            self._pending = _Pending(rgb=rgb, masks=shared[1:], permanent=permanent)
        return CarriedFrame(soft=soft[:, 0], rgb=rgb, query=query)

    def _memorise(self, pending: _Pending) -> None:
        encoded = encode_frame(self._network, pending.rgb, pending.masks, self._settings.objects_per_pass)
        parts = encoded.split([*self._num_objects, *([pending.num_new] if pending.num_new else [])])
        for memory, part in zip(self._memories, parts, strict=False):
            memory.add(part, pending.permanent)
        if pending.num_new:
            self.remember(parts[-1:])

    def _enter(self, frame: np.ndarray, name: str) -> Tensor:
        check_frame(name, frame, self._geometry.size)
        return self._geometry.enter_picture(frame, self._network.mean)


def check_frame(name: str, frame: np.ndarray, size: tuple[int, int]) -> None:
    """ValueError that names a frame which is not uint8 (H, W, 3) of this size."""
    if frame.shape != (*size, 3) or frame.dtype != np.uint8:
        raise ValueError(f"{name} is {frame.dtype} {frame.shape}, expected uint8 {(*size, 3)}")
