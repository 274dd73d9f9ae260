"""Masks of an earlier round by geometry: the true mask under a random affine map about its middle.

After Heo et al., "Interactive Video Object Segmentation Using Global and Local Transfer Modules" (ECCV 2020), who
train their annotation network so; they do not state the ranges, so these are ours.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .regions import as_bytes, region_box, require_masks, require_range


@dataclass(frozen=True, kw_only=True)
class DeformationSettings:
    """Ranges of the affine map. rotation and shear: each drawn from [-x, x], degrees. scale: drawn apart for width and
    height. shift: along x and y, drawn from [-x, x] as a share of the mask's box.
    """

    rotation_degrees: float = 10.0
    shear_degrees: float = 10.0
    scale: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.05

    def __post_init__(self) -> None:
        require_range("scale", self.scale, 0.01)
        if self.rotation_degrees < 0 or self.shift < 0 or not 0 <= self.shear_degrees < 90:
            raise ValueError("rotation_degrees and shift must be 0 or more, shear_degrees within [0, 90)")


OURS = DeformationSettings()


def draw_deformation(rng: np.random.Generator, mask: np.ndarray, settings: DeformationSettings = OURS) -> np.ndarray:
    """Draw an affine map about the middle of the mask's box; float64 (3, 3) on continuous coordinates (x, y, 1).

    mask: bool (H, W). Where it is empty the map is about the picture's middle and shifts by shares of the picture.
    """
    require_masks(mask=mask)
    rows, columns = region_box(mask) or (slice(0, mask.shape[0]), slice(0, mask.shape[1]))
    low, high = np.array([columns.start, rows.start], float), np.array([columns.stop, rows.stop], float)
    angle, shear = np.deg2rad(rng.uniform(-1, 1, 2) * [settings.rotation_degrees, settings.shear_degrees])
    scale = rng.uniform(*settings.scale, 2)
    shift = rng.uniform(-settings.shift, settings.shift, 2) * (high - low)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix, middle = np.eye(3), (low + high) / 2
    matrix[:2, :2] = rotation @ np.array([[1, np.tan(shear)], [0, 1]]) @ np.diag(scale)
    matrix[:2, 2] = middle + shift - matrix[:2, :2] @ middle
    return matrix


def deform_mask(mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the mask under the affine map, bool (H, W); what leaves the picture is lost, what enters it is empty.

    mask: bool (H, W). matrix: float64 (3, 3), maps continuous coordinates of the mask to those of the result.
    """
    require_masks(mask=mask)
    deformed, box = np.zeros(mask.shape, bool), region_box(mask)
    if box is None:
        return deformed
    corners = np.array([[x, y, 1] for x in (box[1].start, box[1].stop) for y in (box[0].start, box[0].stop)])
    corners = corners @ matrix[:2].T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), mask.shape[::-1])
    if left >= right or top >= bottom:
        return deformed
    # OpenCV puts pixel centres on whole numbers, these coordinates put them on halves; both pictures are boxes.
    source, result = np.eye(3), np.eye(3)
    source[:2, 2] = box[1].start + 0.5, box[0].start + 0.5
    result[:2, 2] = -left - 0.5, -top - 0.5
    # OpenCV inverts the matrix; numpy's inverse starts threads that cost more than all the rest.
    size = int(right - left), int(bottom - top)
    warped = cv2.warpAffine(as_bytes(mask[box]), (result @ matrix @ source)[:2], size, flags=cv2.INTER_NEAREST)
    deformed[top:bottom, left:right] = warped.view(bool)
    return deformed
