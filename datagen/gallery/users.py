"""What simulated users draw on one frame, and the masks that they correct: a row of cells for each kind."""

import numpy as np

from ..imaging.sheet import Cell
from ..simulation.clicks.click_maps import signed_gaussian_map
from ..simulation.clicks.clicks import Click, corrective_clicks, positive_clicks
from ..simulation.clicks.negative_clicks import hull_clicks, other_object_clicks, surround_clicks
from ..simulation.clicks.next_click import next_click
from ..simulation.clicks.points import random_points
from ..simulation.mask_deformation import deform_mask, draw_deformation
from ..simulation.mask_errors import perturb_mask, perturb_to_iou
from ..simulation.robot.robot import S2M_ROBOT, RobotSettings, mask_strokes
from ..simulation.robot.strokes import NO_STROKE, draw_strokes
from ..simulation.scribbles.correction_sample import sample_correction
from ..simulation.scribbles.iterated_opening import opened_scribbles
from ..simulation.scribbles.region_scribbles import bezier_scribble, boundary_scribble, thinning_scribble
from ..simulation.scribbles.scribble_mixture import simulate_scribbles
from .drawing import as_grey, with_clicks, with_mask, with_scribbles

_SCRIBBLE_TRIALS = 10
_IOU_TARGETS = (0.95, 0.8, 0.6, 0.4)


def scribble_cells(rng: np.random.Generator, rgb: np.ndarray, mask: np.ndarray, others: list[np.ndarray]) -> list[Cell]:
    """Scribbles on the whole object by type, then the mixture on the errors of a mask.

    rgb: uint8 (H, W, 3). mask, others: bool (H, W), the object and the other objects of the frame.
    """
    none = np.zeros_like(mask)
    cells = [Cell(picture=with_mask(rgb, mask), label="object")]
    for name, draw in (("boundary", boundary_scribble), ("thinning", thinning_scribble), ("bezier", bezier_scribble)):
        cells.append(Cell(picture=with_scribbles(with_mask(rgb, mask), _some(draw, rng, mask), none), label=name))
    first = simulate_scribbles(rng, mask, None)
    cells.append(Cell(picture=_drawn(rgb, mask, first), label=f"first round: {_names(first)}"))
    current = perturb_to_iou(rng, mask, 0.7)
    later = simulate_scribbles(rng, mask, current)
    cells.append(Cell(picture=_drawn(rgb, current, later), label=f"on a mask with errors: {_names(later)}"))
    other = max(others, key=np.count_nonzero) if others else None
    sample = sample_correction(rng, mask, other)
    label = f"a correction sample: {_names(sample.user)}"
    cells.append(Cell(picture=_drawn(rgb, sample.current_mask, sample.user), label=label))
    opened = opened_scribbles(rng, mask, current)
    cells.append(Cell(picture=_drawn(rgb, current, opened), label="opened, then thinned (Oh et al.)"))
    return cells


def robot_cells(rng: np.random.Generator, rgb: np.ndarray, mask: np.ndarray, others: list[np.ndarray]) -> list[Cell]:
    """Strokes of the DAVIS robot: on an object without a mask, and on what a mask misses and has too much."""
    current = perturb_to_iou(rng, mask, 0.6)
    cells = [Cell(picture=with_mask(rgb, mask), label="object"), Cell(picture=with_mask(rgb, current), label="a mask")]
    robots = (
        ("robot, first round", RobotSettings(), np.zeros_like(mask)),
        ("robot on the mask's errors", RobotSettings(), current),
        ("the same by thinning", RobotSettings(method="thinning"), current),
        ("tamed robot (S2M)", S2M_ROBOT, current),
    )
    for label, settings, shown in robots:
        regions = (mask & ~shown, shown & ~mask)
        maps = [_stroke_map(mask_strokes(rng, region, 1, settings), mask.shape) for region in regions]
        cells.append(Cell(picture=with_scribbles(with_mask(rgb, shown), *maps), label=label))
    return cells


def click_cells(rng: np.random.Generator, rgb: np.ndarray, mask: np.ndarray, others: list[np.ndarray]) -> list[Cell]:
    """Clicks after Benard and Gygli: positive, the three negative strategies, corrective; the map; the next click."""
    marked = with_mask(rgb, mask)
    current = perturb_to_iou(rng, mask, 0.6)
    corrections = corrective_clicks(rng, mask, current, num=10)
    both = positive_clicks(rng, mask, num=5) + surround_clicks(rng, mask)
    following = next_click(mask, current)
    points = [Click(x=x, y=y, positive=True) for x, y in random_points(rng, mask)]
    drawn = [
        ("positive", with_clicks(marked, positive_clicks(rng, mask, num=5))),
        ("negative: near the object", with_clicks(marked, hull_clicks(rng, mask, num=10))),
        ("negative: other objects", with_clicks(marked, other_object_clicks(rng, mask, others, num=5))),
        ("negative: around it", with_clicks(marked, surround_clicks(rng, mask))),
        ("corrective, 10", with_clicks(with_mask(rgb, current), corrections)),
        ("next click (NoC)", with_clicks(with_mask(rgb, current), () if following is None else (following,))),
        ("click map", as_grey(signed_gaussian_map(both, *mask.shape), -1, 1)),
        (f"{len(points)} points (Heo et al.)", with_clicks(marked, points, radius=2)),
    ]
    return [Cell(picture=picture, label=label) for label, picture in drawn]


def mask_error_cells(
    rng: np.random.Generator, rgb: np.ndarray, mask: np.ndarray, others: list[np.ndarray]
) -> list[Cell]:
    """The true mask, then masks with errors: perturbed to an IoU (S2M), and deformed by an affine map (Heo et al.)."""
    cells = [Cell(picture=with_mask(rgb, mask), label="true mask")]
    for target in _IOU_TARGETS:
        wrong = perturb_to_iou(rng, mask, target)
        cells.append(Cell(picture=with_mask(rgb, wrong), label=f"target {target:.2f}, IoU {_iou(mask, wrong):.2f}"))
    drawn = perturb_mask(rng, mask)
    cells.append(Cell(picture=with_mask(rgb, drawn), label=f"drawn target, IoU {_iou(mask, drawn):.2f}"))
    deformed = deform_mask(mask, draw_deformation(rng, mask))
    cells.append(Cell(picture=with_mask(rgb, deformed), label=f"affine, IoU {_iou(mask, deformed):.2f}"))
    return cells


def _some(draw, rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """A scribble that is not empty, where a few draws give one: each kind may leave nothing of a small object."""
    for _ in range(_SCRIBBLE_TRIALS):
        drawn = draw(rng, mask)
        if drawn.any():
            break
    return drawn


def _drawn(rgb: np.ndarray, mask: np.ndarray, user) -> np.ndarray:
    return with_scribbles(with_mask(rgb, mask), user.positive, user.negative)


def _names(user) -> str:
    return ", ".join(dict.fromkeys(user.kinds)) or "nothing"


def _stroke_map(strokes, shape: tuple[int, int]) -> np.ndarray:
    return draw_strokes(strokes, *shape, thickness=3) != NO_STROKE


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b))
