"""Networks without weights whose answers are exact in a world of flat colours, so that sessions can be checked exactly.

A colour is one of the eight corners of the RGB cube; black is the background. What a toy network knows of a pixel is
its corner. In a `BlockWorld` all edges lie on the grid of 16 pixels, where the networks see one cell a block.
B rows (one an object), N objects, T memory frames, H W pixels, h w = H/16 W/16 cells.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vosforge.models.atnet import Annotation, FrameFeatures, Transferred
from vosforge.models.normalisation import NormaliseColours
from vosforge.models.propagation import QueryFeatures
from vosforge.train.evaluation.sequences import AnnotatedSequence

BLOCK = 16
NUM_CORNERS = 8
SURE = 40.0
"""The logit of what a toy network is sure of."""
_KEY_SCALE = 30.0


def corner_of(rgb: Tensor) -> Tensor:
    """The corner of the RGB cube that each pixel is nearest to: (B, 3, ...) in [0, 1] -> int64 (B, ...), 0 is black."""
    bits = (rgb > 0.5).long()
    return bits[:, 0] * 4 + bits[:, 1] * 2 + bits[:, 2]


class ToyS2M(nn.Module):
    """All pixels whose colour the positive strokes lie on, and the present mask, but no colour of negative strokes.

    A colour with less than half of what the most frequent one has is the edge of a wide line and does not count.
    calls: what it was given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalise = NormaliseColours()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.calls: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def forward(self, rgb: Tensor, mask: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        self.calls.append((rgb, mask, positive, negative))
        corners = F.one_hot(corner_of(rgb), NUM_CORNERS)
        wanted, unwanted = (_touched(corners, strokes[:, 0]) for strokes in (positive, negative))
        chosen = ((corners * wanted).sum(-1) > 0) | ((mask[:, 0] > 0.5) & ((corners * unwanted).sum(-1) == 0))
        return (chosen[:, None].float() * 2 - 1) * SURE


def _touched(corners: Tensor, strokes: Tensor) -> Tensor:
    """Which colours a row's strokes lie on: (B, 1, 1, corners) of 0 and 1."""
    counts = (corners * strokes[..., None]).sum(dim=(1, 2), keepdim=True)
    return ((counts > 0) & (counts >= counts.amax(dim=3, keepdim=True) / 2)).long()


class ToyPropagation(nn.Module):
    """The object is where the memory shows its colours: a cell's probability is the mean mask of its colour in memory.

    A colour that no memory frame shows is no object. Keys are one-hot colours, so long that a softmax over affinities
    is exact too. memorized: per call, the shade of the frame's corner pixel (`BlockWorld` writes its number there).
    lengths: frames in memory at each reading.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalise = NormaliseColours()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.memorized: list[int] = []
        self.lengths: list[int] = []

    @property
    def mean(self) -> Tensor:
        return self.normalise.mean

    def memorize(self, rgb: Tensor, mask: Tensor, other_masks: Tensor) -> tuple[Tensor, Tensor]:
        self.memorized.append(frame_number(rgb))
        return _keys(rgb), _cells(mask)

    def memory_key(self, rgb: Tensor, mask: Tensor, other_masks: Tensor) -> Tensor:
        return _keys(rgb)

    def query_key(self, rgb: Tensor) -> Tensor:
        return _keys(rgb)

    def encode_query(self, rgb: Tensor) -> QueryFeatures:
        empty = rgb.new_zeros(len(rgb), 1, 1, 1)
        return QueryFeatures(key=_keys(rgb), value=empty, f8=empty, f4=empty)

    def segment(
        self, query: QueryFeatures, memory_key: Tensor, memory_value: Tensor, top_k: int | None = None
    ) -> Tensor:
        self.lengths.append(memory_key.shape[2])
        seen = (memory_key > 0).flatten(2).float()
        means = torch.einsum("bcm,bm->bc", seen, memory_value.flatten(1)) / seen.sum(dim=2).clamp(min=1)
        probability = torch.einsum("bc,bchw->bhw", means, (query.key > 0).float())[:, None]
        blocks = probability.repeat_interleave(BLOCK, dim=2).repeat_interleave(BLOCK, dim=3)
        return torch.logit(blocks, eps=1e-12).clamp(-SURE, SURE)


class ToyFusion(nn.Module):
    """Takes the new mask where the difference maps say that something changed, the previous mask elsewhere.

    calls: its inputs by name, unless they are not kept.
    """

    def __init__(self, keep_calls: bool = True) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.calls: list[dict[str, Tensor]] = []
        self._keep_calls = keep_calls

    def forward(self, **given: Tensor) -> Tensor:
        if self._keep_calls:
            self.calls.append(given)
        changed = given["a_plus"] + given["a_minus"] > 0.5
        return torch.logit(torch.where(changed, given["new_mask"], given["previous_mask"]), eps=1e-12)


def _cells(x: Tensor) -> Tensor:
    """One value a block, from its middle."""
    return x[..., BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]


def _keys(rgb: Tensor) -> Tensor:
    return F.one_hot(corner_of(_cells(rgb)), NUM_CORNERS).permute(0, 3, 1, 2).float() * _KEY_SCALE


def frame_number(rgb: Tensor) -> int:
    """The number that a `BlockWorld` wrote into its frame, from the network's input (B, 3, H, W) in [0, 1]."""
    high, low = (round(float(rgb[0, channel, 0, 0]) * 255) for channel in (0, 2))
    return high * 100 + low


class BlockWorld:
    """A video of flat blocks that move right by a block a frame, round and round; object n has colour and row n.

    A frame source: num_frames, size (H, W), read(t) -> uint8 (H, W, 3); truth(t) -> ids uint8 (H, W). The pixel in the
    upper left corner holds the frame's number, up to 9,999: hundreds in red, the rest in blue, dark enough to be black.
    """

    def __init__(
        self, num_frames: int, object_ids: Sequence[int] = (1, 2), columns: int = 6, rows: int | None = None
    ) -> None:
        if not 1 <= len(object_ids) < NUM_CORNERS:
            raise ValueError(f"{len(object_ids)} objects; a world has colours for 1 to {NUM_CORNERS - 1}")
        self.num_frames = num_frames
        self.object_ids = tuple(object_ids)
        self._rows, self._columns = rows or len(self.object_ids) + 1, columns
        self.size = (BLOCK * self._rows, BLOCK * columns)

    def truth(self, t: int) -> np.ndarray:
        return np.array([0, *self.object_ids], np.uint8)[self._corners(t)]

    def read(self, t: int) -> np.ndarray:
        corners = self._corners(t)
        rgb = np.stack([corners >> 2 & 1, corners >> 1 & 1, corners & 1], axis=-1).astype(np.uint8) * 255
        rgb[0, 0] = t // 100, 0, t % 100
        return rgb

    def sequence(self) -> AnnotatedSequence:
        """The video as a sequence of the evaluation, called "blocks"."""
        return AnnotatedSequence(
            name="blocks",
            frame_names=tuple(f"{t:05d}" for t in range(self.num_frames)),
            read_frame=self.read,
            read_luma=lambda t: self.read(t)[..., 0],
            read_labels=self.truth,
        )

    def _corners(self, t: int) -> np.ndarray:
        if not 0 <= t < self.num_frames:
            raise IndexError(f"frame {t} of {self.num_frames}")
        cells = np.zeros((self._rows, self._columns), np.uint8)
        # The first row holds no object, so that the frame's number lies on background.
        for row in range(1, len(self.object_ids) + 1):
            cells[row, (t + row - 1) % self._columns] = row
        return cells.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)


class ToyATNet(nn.Module):
    """A-Net as `ToyS2M`; T-Net says that a pixel is the object's as far as its colour was in the annotated frames.

    calls: what A-Net was given. num_annotated: annotated frames at each step of T-Net, previous: the frames before it.
    certain: the probability that T-Net answers with instead, of all objects or of each, where it is not None.
    """

    def __init__(self, certain: float | tuple[float, ...] | None = None) -> None:
        super().__init__()
        self.annotation = _ToyAnnotation()
        self.transfer = _ToyTransfer()
        self.transfer.certain = certain

    @property
    def calls(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        return self.annotation.segment.calls


class _ToyAnnotation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.segment = ToyS2M()

    def forward(self, rgb: Tensor, mask: Tensor, positive: Tensor, negative: Tensor) -> Annotation:
        return Annotation(logits=self.segment(rgb, mask, positive, negative), f16=rgb, decoded=rgb)


class _ToyTransfer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.normalise = NormaliseColours()
        self.certain: float | tuple[float, ...] | None = None
        self.num_annotated: list[int] = []
        self.previous: list[int] = []

    def encode(self, rgb: Tensor) -> FrameFeatures:
        return FrameFeatures(f4=rgb, f8=rgb, f16=rgb)

    def object_features(self, annotation: Annotation) -> Tensor:
        corners = F.one_hot(corner_of(annotation.decoded), NUM_CORNERS).float()
        inside = (corners * annotation.logits.sigmoid()[:, 0, :, :, None]).sum(dim=(1, 2))
        return inside / corners.sum(dim=(1, 2)).clamp(min=1)

    def forward(
        self,
        target: FrameFeatures,
        annotated: Sequence[Tensor],
        objects: Sequence[Tensor],
        previous_f4: Tensor,
        previous_mask: Tensor,
        known: Sequence[Tensor],
    ) -> Transferred:
        self.num_annotated.append(len(annotated))
        self.previous.append(frame_number(previous_f4))
        shares = [torch.where(told[:, None], share, 0) for share, told in zip(objects, known, strict=True)]
        share = torch.stack(shares).sum(dim=0) / torch.stack(list(known)).sum(dim=0).clamp(min=1)[:, None]
        probability = share[:, corner_of(target.f4)[0]][:, None]
        if self.certain is not None:
            probability = torch.as_tensor(self.certain).view(-1, 1, 1, 1).expand_as(probability)
        return Transferred(logits=torch.logit(probability, eps=1e-12).clamp(-SURE, SURE), local_map=previous_mask)
