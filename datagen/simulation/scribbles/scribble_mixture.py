"""Scribbles of a user who corrects a mask: the robot, the region procedure and free curves, mixed as published.

After Cheng et al., "Modular Interactive Video Object Segmentation" (CVPR 2021), and the published settings of its
Scribble-to-Mask network. Missing pixels (false negatives) get positive scribbles, wrong ones (false positives)
negative scribbles.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from ..morphology import SQUARE_3
from ..regions import as_bytes, draw_size, require_masks, require_range, require_share
from ..robot.robot import S2M_ROBOT, RobotSettings, mask_strokes
from ..robot.strokes import NO_STROKE, draw_strokes
from .region_scribbles import RegionScribbleSettings, free_curves, region_scribbles


@dataclass(frozen=True, kw_only=True, eq=False)
class UserInput:
    """What a simulated user drew for one object on one frame.

    positive, negative: bool (H, W), "this is the object" and "this is not". kinds: names of what was drawn, in order.
    A user who drew nothing is stated by two empty maps and kinds ().
    """

    positive: np.ndarray
    negative: np.ndarray
    kinds: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the user drew nothing at all."""
        return not self.kinds


@dataclass(frozen=True, kw_only=True)
class MixtureSettings:
    """Settings of the mixture; the published values.

    robot_probability: of the robot rather than the region procedure, where there is a mask to correct.
    free_curves_probability: of free curves on the object and on all else beside the region procedure; they are also
    drawn when that procedure draws nothing. num_free_curves: range, both included. min_free_area: regions below it,
    in pixels, get no free curves. region.keep_inside also cuts the robot's positive strokes to the object and its
    negative ones to all else.
    """

    robot_probability: float = 0.75
    free_curves_probability: float = 0.3
    num_free_curves: tuple[int, int] = (2, 4)
    min_free_area: int = 100
    region: RegionScribbleSettings = field(default_factory=RegionScribbleSettings)
    robot: RobotSettings = S2M_ROBOT

    def __post_init__(self) -> None:
        require_share(robot_probability=self.robot_probability, free_curves_probability=self.free_curves_probability)
        require_range("num_free_curves", self.num_free_curves, 1)
        if self.min_free_area < 1:
            raise ValueError(f"min_free_area is {self.min_free_area}; it must be 1 pixel or more")


PUBLISHED = MixtureSettings()


def simulate_scribbles(
    rng: np.random.Generator,
    true_mask: np.ndarray,
    current_mask: np.ndarray | None,
    settings: MixtureSettings = PUBLISHED,
) -> UserInput:
    """Scribble on the errors of `current_mask`, or on the object itself where there is no mask yet.

    true_mask, current_mask: bool (H, W). None or an empty mask is the first round: no robot, and negative scribbles
    only from free curves. With the default settings positive scribbles lie on the object and negative ones off it.
    Returns an empty input where the robot finds nothing to correct, or regions are too small even for free curves.
    """
    if current_mask is None:
        current_mask = np.zeros_like(true_mask)
    require_masks(true_mask=true_mask, current_mask=current_mask)
    missing, wrong = true_mask & ~current_mask, current_mask & ~true_mask
    if current_mask.any() and rng.random() < settings.robot_probability:
        # Lines keep their width across the border of a thin error, but do not say "object" off the object.
        inside = (true_mask, ~true_mask) if settings.region.keep_inside else (None, None)
        positive, kinds = robot_scribbles(rng, missing, settings.robot, inside[0])
        negative, negative_kinds = robot_scribbles(rng, wrong, settings.robot, inside[1])
        return UserInput(positive=positive, negative=negative, kinds=kinds + negative_kinds)
    positive, kinds = region_scribbles(rng, missing, settings.region)
    negative, negative_kinds = region_scribbles(rng, wrong, settings.region)
    kinds += negative_kinds
    if not kinds or rng.random() < settings.free_curves_probability:
        for drawn, region in ((positive, true_mask), (negative, ~true_mask)):
            if np.count_nonzero(region) >= settings.min_free_area:
                curves = free_curves(rng, region, draw_size(rng, settings.num_free_curves), settings.region)
                drawn |= curves
                kinds += ("free-curves",) * int(curves.any())
    return UserInput(positive=positive, negative=negative, kinds=kinds)


def robot_scribbles(
    rng: np.random.Generator,
    region: np.ndarray,
    settings: RobotSettings = S2M_ROBOT,
    inside: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scribble as the robot of Scribble-to-Mask: strokes found at half resolution, drawn three pixels wide.

    region, inside: bool (H, W); the smoothed strokes are cut to `inside` where it is given, and may leave the region.
    Returns the scribbles, bool (H, W), and ("robot",); an empty map and () where nothing is drawn.
    """
    require_masks(region=region)
    strokes = mask_strokes(rng, region, 1, settings) if region.any() else []
    if not strokes:
        return np.zeros(region.shape, bool), ()
    line = draw_strokes(strokes, *region.shape) != NO_STROKE
    drawn = cv2.dilate(as_bytes(line), SQUARE_3).view(bool)
    if inside is not None:
        drawn &= inside
    return drawn, ("robot",) * int(drawn.any())
