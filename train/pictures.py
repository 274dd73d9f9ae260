"""What a network made of a batch, as one picture: for every sample what it was given, the truth, and its answer.

B samples, T frames, K of them predicted, N objects, H W pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from ..datagen.imaging.images import DAVIS_PALETTE, overlay

MAX_ROWS = 4
_GAP = 2
_DIMMED = 0.45
_TINT = 0.5
# Masks of the last frame that the network is given, (B, H, W) or one a object (B, N, H, W), in [0, 1].
_GIVEN_MASKS = ("current_mask", "previous", "new")
# Strokes of the user, in the colours in which the simulated users are shown everywhere.
_STROKES = {"positive": (60, 220, 90), "negative": (240, 60, 50)}


def batch_picture(batch: Mapping[str, Any], predicted: Tensor, max_rows: int = MAX_ROWS) -> np.ndarray:
    """A picture with one row a sample: given frames, given masks and strokes, then truth and prediction by turns.

    batch: "rgb" (B, T, 3, H, W) or (B, 3, H, W) in [0, 1], "labels" (B, T, H, W) or (B, H, W), 255 ignored. Besides,
    where the stage has them: "current_mask", or "previous" and "new", masks of the last frame; "positive" and
    "negative", strokes on it; "rgb_interaction" and "labels_interaction", another frame with its true masks.
    predicted: ids of the last K frames (B', K, H, W), of the first B' samples. Returns uint8 (H', W', 3), RGB.
    """
    num_rows = min(len(batch["rgb"]), len(predicted), max_rows)
    return np.concatenate([_row(batch, predicted, sample) for sample in range(num_rows)])


def _row(batch: Mapping[str, Any], predicted: Tensor, sample: int) -> np.ndarray:
    def of(name: str) -> np.ndarray:
        """The sample's entry, with its leading dimensions as one: (T, 3, H, W) of frames, (N, H, W) of the rest."""
        entry = _array(batch[name][sample])
        return entry.reshape(-1, *entry.shape[-3 if name.startswith("rgb") else -2 :])

    frames, truths = [_picture(frame) for frame in of("rgb")], of("labels").astype(np.uint8)
    answers = _array(predicted[sample]).astype(np.uint8)
    num_given = len(frames) - len(answers)
    cells = []
    if "rgb_interaction" in batch:
        cells.append(overlay(_picture(of("rgb_interaction")[0]), of("labels_interaction")[0].astype(np.uint8)))
    cells += [overlay(frame, truth) for frame, truth in zip(frames[:num_given], truths, strict=False)]
    given = [of(name) for name in _GIVEN_MASKS if name in batch]
    strokes = {colour: of(name)[0] > 0.5 for name, colour in _STROKES.items() if name in batch}
    if strokes:
        cells.append(_interaction(frames[-1], given, strokes))
    else:
        cells += [_soft_masks(frames[-1], masks) for masks in given]
    for frame, truth, answer in zip(frames[num_given:], truths[num_given:], answers, strict=True):
        cells += [overlay(frame, truth), overlay(frame, answer)]
    return _side_by_side(cells)


def _array(value: Tensor) -> np.ndarray:
    return value.detach().float().cpu().numpy()


def _picture(frame: np.ndarray) -> np.ndarray:
    """Float (3, H, W) in [0, 1] -> uint8 (H, W, 3)."""
    return np.ascontiguousarray((np.clip(frame, 0, 1).transpose(1, 2, 0) * 255).round().astype(np.uint8))


def _interaction(
    rgb: np.ndarray, given: Sequence[np.ndarray], strokes: Mapping[tuple[int, int, int], np.ndarray]
) -> np.ndarray:
    """The frame, dimmed outside the mask that is to be corrected, with the user's strokes over it."""
    mask = np.max([masks.max(axis=0) for masks in given], axis=0)[..., None] if given else np.zeros((*rgb.shape[:2], 1))
    drawn = np.rint(_dimmed(rgb) * (1 - mask) + rgb * mask).astype(np.uint8)
    for colour, stroke in strokes.items():
        drawn[stroke] = colour
    return drawn


def _soft_masks(rgb: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The frame dimmed, and in its object's colour where a mask (N, H, W) is, as strongly as the mask says."""
    drawn = _dimmed(rgb)
    for number, mask in enumerate(np.clip(masks, 0, 1), start=1):
        tinted = rgb * (1 - _TINT) + DAVIS_PALETTE[number].astype(np.float32) * _TINT
        drawn = drawn * (1 - mask[..., None]) + tinted * mask[..., None]
    return np.rint(drawn).astype(np.uint8)


def _dimmed(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) * np.float32(_DIMMED)


def _side_by_side(cells: list[np.ndarray]) -> np.ndarray:
    gap = np.full((cells[0].shape[0], _GAP, 3), 255, np.uint8)
    row = np.concatenate([part for cell in cells for part in (gap, cell)][1:], axis=1)
    return np.concatenate([row, np.full((_GAP, row.shape[1], 3), 255, np.uint8)])
