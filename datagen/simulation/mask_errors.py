"""Masks with the errors of an earlier round: the true mask, perturbed until its IoU falls below a target.

After the published generator of Scribble-to-Mask (Cheng et al., CVPR 2021): rounds of four random rectangles, each
dilated or eroded, now and then with a wrong pixel in its middle that the next rectangles may grow.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .morphology import edit_rectangle, error_kernel
from .regions import Box, as_bytes, require_masks, require_range, require_share

_NUMBERS_PER_EDIT = 9
_KERNEL_SHAPES = 4


@dataclass(frozen=True, kw_only=True)
class MaskErrorSettings:
    """Settings of the perturbation; the published values.

    iou_target: range of the IoU with the true mask, drawn evenly. max_rounds and rectangles_per_round: how long it
    may take. wrong_pixel_probability: that a rectangle's middle pixel is set or cleared first. dilate_probability:
    dilate rather than erode. kernel_size: range in pixels, both included.
    max_overshoot: None stops at the first round below the target, wherever that is, as published. A number takes back
    every round that falls further below it, which keeps small objects from vanishing.
    """

    iou_target: tuple[float, float] = (0.40, 0.95)
    max_rounds: int = 250
    rectangles_per_round: int = 4
    wrong_pixel_probability: float = 0.1
    dilate_probability: float = 0.5
    kernel_size: tuple[int, int] = (3, 9)
    max_overshoot: float | None = None

    def __post_init__(self) -> None:
        require_range("iou_target", self.iou_target, 0, 1)
        require_range("kernel_size", self.kernel_size, 2)
        require_share(wrong_pixel_probability=self.wrong_pixel_probability, dilate_probability=self.dilate_probability)
        if min(self.max_rounds, self.rectangles_per_round) < 1:
            raise ValueError("max_rounds and rectangles_per_round must be 1 or more")
        if self.max_overshoot is not None and not 0 < self.max_overshoot <= 1:
            raise ValueError(f"max_overshoot is {self.max_overshoot}; give None or a share in (0, 1]")


PUBLISHED = MaskErrorSettings()


def perturb_mask(rng: np.random.Generator, mask: np.ndarray, settings: MaskErrorSettings = PUBLISHED) -> np.ndarray:
    """Return the mask with errors, its IoU with `mask` just below a target drawn from the settings; bool (H, W).

    mask: bool (H, W). An empty mask has nothing to compare with and stays empty.
    """
    return perturb_to_iou(rng, mask, float(rng.uniform(*settings.iou_target)), settings)


def perturb_to_iou(
    rng: np.random.Generator, mask: np.ndarray, iou_target: float, settings: MaskErrorSettings = PUBLISHED
) -> np.ndarray:
    """Return the mask with errors, its IoU with `mask` just below `iou_target`; bool (H, W).

    mask: bool (H, W). Two outcomes miss the target: the rounds run out above it, as they may for a mask that fills
    the picture, and an empty mask stays empty.
    """
    require_masks(mask=mask)
    if not 0 <= iou_target <= 1:
        raise ValueError(f"iou_target is {iou_target}; an IoU lies in [0, 1]")
    true, edited = as_bytes(np.ascontiguousarray(mask)), as_bytes(mask).copy()
    area = cv2.countNonZero(true)
    if not area:
        return edited.view(bool)
    extent = _Extent(edited)
    for _ in range(settings.max_rounds):
        before = (edited.copy(), extent.copy()) if settings.max_overshoot is not None else None
        for numbers in rng.random((settings.rectangles_per_round, _NUMBERS_PER_EDIT)):
            _edit(numbers.tolist(), edited, extent, settings)
        iou = _iou(true[extent.box], edited[extent.box], area)
        if before is not None and iou < iou_target - settings.max_overshoot:
            edited, extent = before
        elif iou < iou_target:
            break
    return edited.view(bool)


def _iou(true: np.ndarray, edited: np.ndarray, true_area: int) -> float:
    """Return the IoU of two masks, uint8 (h, w), the parts of larger ones that hold all pixels of both."""
    areas, different = true_area + cv2.countNonZero(edited), cv2.norm(true, edited, cv2.NORM_L1)
    return (areas - different) / (areas + different)


class _Extent:
    """A box outside of which both masks are empty: there no kernel needs to look. It only grows."""

    def __init__(self, mask: np.ndarray) -> None:
        left, top, width, height = cv2.boundingRect(mask)
        self.left, self.top, self.right, self.bottom = left, top, left + width, top + height

    @property
    def box(self) -> Box:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def copy(self) -> "_Extent":
        other = object.__new__(_Extent)
        other.__dict__.update(self.__dict__)
        return other

    def include(self, left: int, top: int, right: int, bottom: int) -> None:
        self.left, self.top = min(self.left, left), min(self.top, top)
        self.right, self.bottom = max(self.right, right), max(self.bottom, bottom)


def _edit(numbers: list[float], mask: np.ndarray, extent: _Extent, settings: MaskErrorSettings) -> None:
    """Change the mask, uint8 (H, W), in one rectangle, all of it decided by nine numbers in [0, 1)."""
    left, top, right, bottom = edit_rectangle(*mask.shape, numbers[:4])
    wrong, value, dilate, size, shape = numbers[4:]
    if wrong < settings.wrong_pixel_probability:
        row, column = (top + bottom) // 2, (left + right) // 2
        mask[row, column] = value < 0.5
        extent.include(column, row, column + 1, row + 1)
    low, high = settings.kernel_size
    size = low + int(size * (high + 1 - low))
    # Nothing happens further from the mask than a kernel reaches, so only that part of the rectangle is computed.
    reach = size // 2
    left, top = max(left, extent.left - reach), max(top, extent.top - reach)
    right, bottom = min(right, extent.right + reach), min(bottom, extent.bottom + reach)
    if left >= right or top >= bottom:
        return
    kernel = error_kernel(int(shape * _KERNEL_SHAPES), size)
    part = mask[top:bottom, left:right]
    if dilate < settings.dilate_probability:
        cv2.dilate(part, kernel, dst=part)
        extent.include(left, top, right, bottom)
    else:
        cv2.erode(part, kernel, dst=part)
