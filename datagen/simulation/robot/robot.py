"""The robot of the DAVIS interactive benchmark: strokes along the middle of what a prediction gets wrong.

Sources: DAVIS interactive benchmark, whose evaluation service sets the kernel size to 0.2; Scribble-to-Mask (MiVOS) for
`S2M_ROBOT`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import skimage.morphology

from ..distances import squared_distance
from .skeleton import box_of, medial_axis, thin
from .skeleton_paths import bezier_curve, longest_paths
from .strokes import Stroke

_NEXT_RADIUS = 0.9
"""The share of the radius that is tried next when an opening leaves nothing."""


@dataclass(frozen=True, kw_only=True)
class RobotSettings:
    """How the robot draws; the defaults are those of the benchmark's service. Lengths are in pixels of the frame.

    kernel_size: the opening's radius is half of it times the square root of the error's area. max_kernel_radius: the
    largest radius. min_nodes: skeletons of fewer pixels give no stroke. num_points: points of a stroke, 1 to 1,000.
    method: "medial-axis" is the benchmark's skeleton; "thinning" is Zhang and Suen's, without chance and faster.
    reduction: the robot sees blocks of reduction x reduction pixels; None takes 1 for the medial axis and 2 for
    thinning. block_share: the share of a block's pixels, in [0, 1], that sets it; at 0 one pixel is enough.
    """

    kernel_size: float = 0.2
    max_kernel_radius: float = 16
    min_nodes: int = 4
    num_points: int = 1000
    method: Literal["medial-axis", "thinning"] = "medial-axis"
    reduction: int | None = None
    block_share: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in ("medial-axis", "thinning"):
            raise ValueError(f"method is {self.method!r}; choose 'medial-axis' or 'thinning'")
        if not (self.kernel_size >= 0 and self.max_kernel_radius >= 0):
            raise ValueError(
                f"kernel_size is {self.kernel_size} and max_kernel_radius is {self.max_kernel_radius}; give 0 (no "
                "opening) or more"
            )
        if not 1 <= self.num_points <= 1000:
            raise ValueError(f"num_points is {self.num_points}; a stroke has 1 to 1,000 points")
        if self.reduction is not None and self.reduction < 1:
            raise ValueError(
                f"reduction is {self.reduction}; give 1 (all pixels) or more, or None for the method's own"
            )
        if not 0 <= self.block_share <= 1:
            raise ValueError(f"block_share is {self.block_share}; give a share of a block's pixels, 0 to 1")

    @property
    def block_size(self) -> int:
        """Pixels on a side of the blocks that the robot sees."""
        return self.reduction or (2 if self.method == "thinning" else 1)


DAVIS_ROBOT = RobotSettings()
"""The robot of the benchmark's evaluation service."""
S2M_ROBOT = RobotSettings(kernel_size=0.15, max_kernel_radius=32, min_nodes=1, reduction=2, block_share=0.75)
"""The "tamed" robot of Scribble-to-Mask: half resolution, where its largest radius is 16; no skeleton is too short.

Errors of one pixel's width fill no block by three quarters: they get no stroke.
"""


def robot_strokes(
    rng: np.random.Generator,
    true_ids: np.ndarray,
    predicted_ids: np.ndarray,
    object_ids: Sequence[int],
    settings: RobotSettings = DAVIS_ROBOT,
) -> list[Stroke]:
    """Return the strokes that correct a prediction on one frame, in the order of `object_ids`.

    true_ids, predicted_ids: (H, W). Strokes of id k run where the truth is k and the prediction is not; with id 0 that
    is false positives, so the benchmark's list is 0, 1 .. number of objects. An id without error, or with errors that
    the opening removes, has no stroke. `rng` decides ties of the medial axis alone. Pixels of an id not listed, as
    ignored ones, get none.
    """
    if true_ids.shape != predicted_ids.shape or true_ids.ndim != 2:
        raise ValueError(
            f"true_ids has shape {true_ids.shape} and predicted_ids {predicted_ids.shape}; give two maps of one frame, "
            "(height, width)"
        )
    strokes = []
    for object_id in object_ids:
        error = (true_ids == object_id) & (predicted_ids != object_id)
        strokes += mask_strokes(rng, error, object_id, settings)
    return strokes


def mask_strokes(
    rng: np.random.Generator, mask: np.ndarray, object_id: int, settings: RobotSettings = DAVIS_ROBOT
) -> list[Stroke]:
    """Return one stroke for each part of the mask's skeleton; mask: bool (H, W), often an error. Empty: no strokes."""
    height, width = mask.shape
    box = box_of(mask)
    if box is None:
        return []
    block = settings.block_size
    rows, columns = (_grown(side, block, length) for side, length in zip(box, mask.shape, strict=True))
    seen = _blocks(mask[rows, columns], block, settings.block_share)
    opened = open_by_area(seen, settings.kernel_size, settings.max_kernel_radius / block)
    skeleton = medial_axis(rng, opened) if settings.method == "medial-axis" else thin(opened)
    strokes = []
    for path in longest_paths(skeleton, math.ceil(settings.min_nodes / block)):
        # Of whole blocks the middle pixel counts, which may lie off the frame for a block cut by its edge.
        pixels = bezier_curve(path, settings.num_points) * block + (block - 1) / 2 + (columns.start, rows.start)
        strokes.append(Stroke(object_id=object_id, path=np.minimum(pixels, (width - 1, height - 1)) / (width, height)))
    return strokes


def open_by_area(mask: np.ndarray, kernel_size: float, max_kernel_radius: float) -> np.ndarray:
    """Open a mask with a disk as large as its area allows, bool (H, W); parts smaller than the disk vanish.

    The radius is kernel_size / 2 times the square root of the area, at most `max_kernel_radius`; while nothing is left,
    the mask is opened anew with 0.9 of it. A radius of 1 or less opens nothing; where the last opening left nothing,
    the result is empty. What lies outside the picture neither erodes nor dilates. The disk is scikit-image's, which for
    a fractional radius is not centred on its middle pixel, and both steps use it unmirrored, as the DAVIS robot does.
    """
    picture = np.ascontiguousarray(mask, bool).view(np.uint8)
    opened = picture
    radius = float(min(kernel_size * math.sqrt(np.count_nonzero(picture)) / 2, max_kernel_radius))
    while radius > 1:
        opened = _open_by_disk(picture, radius)
        if opened.any():
            break
        radius *= _NEXT_RADIUS
    return opened.view(bool)


def worst_frame(jaccard: np.ndarray) -> int:
    """Return the frame of the smallest mean Jaccard index over the objects, the first of equals; jaccard: (T, N)."""
    if jaccard.ndim != 2 or 0 in jaccard.shape:
        raise ValueError(f"jaccard has shape {jaccard.shape}; give one row a frame and one column an object")
    return int(np.argmin(jaccard.mean(axis=1)))


def _open_by_disk(picture: np.ndarray, radius: float) -> np.ndarray:
    """The opening of a uint8 mask by scikit-image's disk of that radius, uint8."""
    if radius.is_integer():
        # A centred disk is a ball of the Euclidean distance, which costs the same for every radius.
        eroded = squared_distance(picture) > radius**2
        if not eroded.any():
            return eroded.view(np.uint8)
        return (squared_distance(~eroded) <= radius**2).view(np.uint8)
    disk = skimage.morphology.disk(radius)
    anchor = (disk.shape[1] // 2, disk.shape[0] // 2)
    eroded = cv2.erode(picture, disk, anchor=anchor)
    if not disk[anchor[::-1]]:
        # Just above radius 1 the disk lies up and left of its middle; in the corner nothing of it is in the picture.
        eroded[0, 0] = 0
    return cv2.dilate(eroded, disk, anchor=anchor)


def _grown(side: slice, block: int, length: int) -> slice:
    """A side of a box grown by what an opening can move, from the start of a block, within the frame.

    Without the room beside it the edge of the box would act as the edge of the frame, which does not erode.
    """
    room = 4 * block
    return slice(max(0, side.start - room) // block * block, min(length, side.stop + room))


def _blocks(mask: np.ndarray, block: int, share: float) -> np.ndarray:
    """Whether at least this share of each block is set, and at least one pixel, bool (ceil(H / block), ...)."""
    if block == 1:
        return mask
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % block), (0, -width % block))).view(np.uint8)
    # 1 to block * block pixels set: 16 bits hold blocks of up to 255 pixels a side.
    rows = sum(padded[row::block].astype(np.uint16) for row in range(block))
    return sum(rows[:, column::block] for column in range(block)) >= max(1, share * block * block)
