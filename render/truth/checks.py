"""Is the ground truth true? Checks of sampled frames against each other, in plain numpy.

Each check returns the measured shares; `reject_bad_truth` holds the limits. Shapes: H W pixels. All of them work on
whatever was stored, so a mistake on the way from the renderer to the file is seen too.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..camera_path import project_points
from ..checks import Reason, RejectedScene
from .surface import Arrival, ClipGeometry, Surface, pixel_centres, pixel_rays, transform

PIXEL_TOLERANCE = 0.05
DEPTH_TOLERANCE = 0.001
"""Half a count of the stored depth, and single precision on top; scene units."""
RETURN_TOLERANCE_PIXELS = 1.0
SMALLEST_AGREEMENT = {"camera": 0.999, "depth": 0.90, "flow": 0.85, "return": 0.90, "mask": 0.998}
"""Smallest share that must agree, for each check.

Measured on 16 clips of real models, half of them deforming, falling or blurred (384x256): the worst were camera 1.0,
depth 0.955, flow 0.941, return 0.986. What is missing to 1 are concave objects that hide parts of themselves.
"""
EDGE_SLACK, PIXEL_SLACK = 0.15, 4
"""Wrong pixels of a mask that are forgiven in production: a share of the pixels within two of its edge, and a few in
any case. Measured on 18 clips of 192x128: up to 0.03 along edges, 0.127 on a coral whose branches are a pixel wide."""
FEWEST_PIXELS = 200
"""A share of fewer pixels than this counts its misses against this many: one pixel of ten proves nothing."""
FEWEST_EDGE_PIXELS = 100


def sampled_pairs(num_frames: int) -> list[int]:
    """Frames t whose truth is compared with that of t + 1: first, middle and last but one; none for a single frame."""
    return sorted({0, (num_frames - 1) // 2, num_frames - 2} & set(range(num_frames - 1)))


def camera_agreement(surface: Surface, depth: np.ndarray, pose: np.ndarray, intrinsics: np.ndarray) -> float:
    """Share of the seen pixels whose world point is projected to the pixel's own centre, at the stored depth.

    depth: float32 (H, W), as stored; 0 where too far to be stored. 1.0 when nothing is seen.
    """
    projected = project_points(surface.position, pose, intrinsics)
    distance = np.abs(projected[..., :2] - pixel_centres(*depth.shape)).max(axis=-1)
    step = np.abs(projected[..., 2] - depth)
    good = (distance <= PIXEL_TOLERANCE) & ((step <= DEPTH_TOLERANCE + 1e-4 * depth) | (depth == 0))
    return _share(good, surface.seen)


def depth_agreement(
    depths: tuple[np.ndarray, np.ndarray],
    ids: tuple[np.ndarray, np.ndarray],
    geometry: ClipGeometry,
    frames: tuple[int, int],
    static_only: bool = False,
) -> float:
    """Share of the pixels of one frame that lie, carried to another by poses alone, on the depth measured there.

    depths, ids: of both frames, float32 and uint8 (H, W); depth 0 is no depth. Counted are rigid and static surfaces
    away from the edges of the ids, in both frames. The point has to lie between the depths of the 3x3 pixels around
    its place, two footprints of a pixel more or less. static_only: leave the objects out, for frames so far apart that
    an object shows other sides of itself. 1.0 when nothing can be compared.
    """
    (frame, other), (height, width) = frames, depths[0].shape
    intrinsics, focal = geometry.intrinsics[other], geometry.intrinsics[other][0, 0]
    rays = pixel_rays(height, width, geometry.intrinsics[frame]) * depths[0][..., None]
    points = transform(geometry.poses[frame], rays)
    usable = inside_ids(ids[0]) & (depths[0] > 0)
    for instance_id, matrices in geometry.matrices.items():
        own = ids[0] == instance_id
        if static_only or instance_id in geometry.deforming:
            usable &= ~own
        else:
            points[own] = transform(matrices[other] @ np.linalg.inv(matrices[frame]), points[own])
    arrived = project_points(points[usable], geometry.poses[other], intrinsics)
    rows, columns, lands = _landing(arrived[:, :2], height, width)
    same = inside_ids(ids[1])[rows, columns] & (ids[1][rows, columns] == ids[0][usable]) & lands
    same &= (depths[1][rows, columns] > 0) & (arrived[:, 2] > 0)
    slack = 2 * arrived[:, 2] / focal + 2 * DEPTH_TOLERANCE
    nearest, farthest = _nearest_around(depths[1])[rows, columns], _farthest_around(depths[1])[rows, columns]
    good = (arrived[:, 2] >= nearest - slack) & (arrived[:, 2] <= farthest + slack)
    return _share(good, same)


def flow_agreement(
    flow: np.ndarray, arrival: Arrival, ids: tuple[np.ndarray, np.ndarray], other_depth: np.ndarray, focal: float
) -> float:
    """How well flow carries ids to the other frame, over all objects and the background: the smallest agreement.

    flow: float32 (H, W, 2), as stored; arrival: says how deep each point is in the other frame and whether it is known;
    ids: of both frames, uint8 (H, W); other_depth: float32 (H, W). Left out are pixels that leave the image or have
    something nearer where they land. A pixel is missed when none of the 3x3 pixels where it lands has its id; the
    agreement of an id is 1 - missed pixels / pixels on its edge, because flow that is too short or too long by a pixel
    shows along an edge only.
    """
    height, width = ids[0].shape
    rows, columns, lands = _landing(pixel_centres(height, width) + flow, height, width)
    measured = np.where(other_depth > 0, other_depth, np.inf)
    hidden = arrival.depth > _nearest_around(measured)[rows, columns] + 2 * measured[rows, columns] / focal
    counted = arrival.valid & lands & ~hidden
    edge = ~inside_ids(ids[0])
    worst = 1.0
    for instance_id in np.unique(ids[0]):
        own = counted & (ids[0] == instance_id)
        around = cv2.dilate((ids[1] == instance_id).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        missed = int((own & ~around[rows, columns]).sum())
        worst = min(worst, 1.0 - missed / max(int((own & edge).sum()), FEWEST_EDGE_PIXELS))
    return worst


def return_agreement(
    flow: np.ndarray,
    arrival: Arrival,
    back: np.ndarray,
    back_valid: np.ndarray,
    ids: tuple[np.ndarray, np.ndarray],
    other_depth: np.ndarray,
    focal: float,
) -> float:
    """Share of the pixels that flow to the other frame and back end where they began, within a pixel.

    back: float32 (H, W, 2), flow of the other frame to this one. Counted are pixels that are seen in both frames: they
    land away from the ids' edges on their own id and on their own depth.
    """
    height, width = ids[0].shape
    rows, columns, lands = _landing(pixel_centres(height, width) + flow, height, width)
    measured = np.where(other_depth > 0, other_depth, np.inf)
    slack = 2 * np.where(np.isfinite(arrival.depth), arrival.depth, 0) / focal
    near, far = _nearest_around(measured)[rows, columns], _farthest_around(measured)[rows, columns]
    same = (arrival.depth >= near - slack) & (arrival.depth <= far + slack)
    same &= inside_ids(ids[1])[rows, columns] & (ids[1][rows, columns] == ids[0])
    counted = arrival.valid & lands & same & back_valid[rows, columns]
    miss = np.linalg.norm(flow + back[rows, columns], axis=-1)
    return _share(miss <= RETURN_TOLERANCE_PIXELS, counted)


def mask_agreement(ids: np.ndarray, finer: np.ndarray, edge_slack: float = 0.0, pixel_slack: int = 0) -> float:
    """Smallest IoU over the ids of a mask and that of a finer render, of which most fine pixels decide.

    ids: uint8 (h, w); finer: uint8 (k h, k w). edge_slack, pixel_slack: wrong pixels that are forgiven
    for each pixel on an object's edge, and for each object. An object as thin as a pixel has no mask that agrees with a
    finer one, so the smaller an object, the more it is judged by its edge.
    """
    height, width = ids.shape
    factor = finer.shape[0] // height
    blocks = finer.reshape(height, factor, width, factor)
    labels = np.unique(np.concatenate([ids.ravel(), finer.ravel()]))
    counts = np.stack([(blocks == label).sum(axis=(1, 3)) for label in labels])
    majority = labels[counts.argmax(axis=0)]
    # Where two labels are equally frequent, either is right.
    tied = np.take_along_axis(counts, np.searchsorted(labels, ids)[None], axis=0)[0] == counts.max(axis=0)
    majority = np.where(tied, ids, majority)
    worst = 1.0
    for label in labels:
        mine, other = ids == label, majority == label
        wrong, union = int((mine ^ other).sum()), int((mine | other).sum())
        forgiven = edge_slack * int((mine & ~inside_ids(ids)).sum()) + pixel_slack
        worst = min(worst, 1.0 - max(wrong - forgiven, 0.0) / max(union, 1))
    return worst


def reject_bad_truth(check: str, frame: int, agreement: float) -> None:
    """Raise RejectedScene when a check's agreement in a frame is below its limit."""
    if not agreement >= SMALLEST_AGREEMENT[check]:
        limit = SMALLEST_AGREEMENT[check]
        raise RejectedScene(
            Reason.GROUND_TRUTH,
            f"frame {frame}: the {check} check agrees in {agreement:.4f}, at least {limit} is needed",
        )


def edge_window(ids: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """A window of the image where an object's edge is: x0, y0, x1, y1, around the middle one of the edge pixels.

    ids: uint8 (H, W), at least as large as the window.
    """
    rows, columns = np.nonzero((ids > 0) & ~inside_ids(ids))
    row, column = (rows[len(rows) // 2], columns[len(rows) // 2]) if len(rows) else (ids.shape[0] // 2,) * 2
    y0 = int(np.clip(row - height // 2, 0, ids.shape[0] - height))
    x0 = int(np.clip(column - width // 2, 0, ids.shape[1] - width))
    return x0, y0, x0 + width, y0 + height


def _landing(places: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of the pixels on which places (..., 2) fall, clipped, and which fall inside the image."""
    with np.errstate(invalid="ignore"):
        columns, rows = (np.floor(np.clip(places[..., axis], -1e6, 1e6)).astype(np.int64) for axis in (0, 1))
    lands = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1), lands


def inside_ids(ids: np.ndarray) -> np.ndarray:
    """Pixels whose 5x5 neighbourhood has one id only, bool (H, W)."""
    kernel = np.ones((5, 5), np.uint8)
    return cv2.erode(ids, kernel) == cv2.dilate(ids, kernel)


def _nearest_around(depth: np.ndarray) -> np.ndarray:
    return cv2.erode(depth.astype(np.float32), np.ones((3, 3), np.uint8))


def _farthest_around(depth: np.ndarray) -> np.ndarray:
    return cv2.dilate(depth.astype(np.float32), np.ones((3, 3), np.uint8))


def _share(good: np.ndarray, counted: np.ndarray) -> float:
    total = int(counted.sum())
    return 1.0 - (total - int((good & counted).sum())) / max(total, FEWEST_PIXELS)
