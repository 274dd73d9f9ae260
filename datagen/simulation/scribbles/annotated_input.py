"""What a user gives an annotation network: the mask so far, and maps of positive and negative scribbles or points.

After Heo et al., "Interactive Video Object Segmentation Using Global and Local Transfer Modules" (ECCV 2020): points in
a first round, and later a deformed mask that the robot corrects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ..clicks.points import PIXELS_PER_POINT, random_points
from ..mask_deformation import DeformationSettings, deform_mask, draw_deformation
from ..regions import require_masks, require_range, require_share
from ..robot.robot import DAVIS_ROBOT, RobotSettings, robot_strokes
from ..robot.strokes import NO_STROKE, Stroke, draw_strokes

NEUTRAL = 0.5
"""The mask so far where there is none yet."""
_BLUR_SIDE = 5
_BLUR_SIGMA = 6.0
_THICKNESS = 5


@dataclass(frozen=True, kw_only=True)
class AnnotatedInputSettings:
    """first_round_probability: of no mask (not stated; ours). first_stroke_probability: the share of these in which the
    robot draws instead of points, as the user of the benchmark does (published none). The rest: of `random_points`,
    `draw_deformation` and the robot, whose strokes correct the deformed mask.
    """

    first_round_probability: float = 0.5
    first_stroke_probability: float = 0.0
    pixels_per_point: tuple[int, int] = PIXELS_PER_POINT
    deformation: DeformationSettings = field(default_factory=DeformationSettings)
    robot: RobotSettings = DAVIS_ROBOT

    def __post_init__(self) -> None:
        require_share(
            first_round_probability=self.first_round_probability,
            first_stroke_probability=self.first_stroke_probability,
        )
        require_range("pixels_per_point", self.pixels_per_point, 1)


PUBLISHED = AnnotatedInputSettings()


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedInput:
    """Three maps, float32 (H, W) in [0, 1]: the mask so far, 0.5 everywhere in a first round, and what was drawn."""

    mask: np.ndarray
    positive: np.ndarray
    negative: np.ndarray


def scribble_maps(
    strokes: Sequence[Stroke], object_id: int, previous: np.ndarray | None, height: int, width: int
) -> AnnotatedInput:
    """Return what an annotation network gets for one object from all strokes on a frame.

    previous: bool (H, W), the object's mask of the round before; None in a first round, which has no negative map.
    Positive are the strokes of the object, negative those of any other id and of the background, but within the
    previous mask only: a stroke on another object need not deny this one. Lines are widened to an ellipse of 5 pixels
    and blurred over 5x5 pixels, as published; there a line also lies one pixel up and left, which is mended here.
    """
    labels = draw_strokes(strokes, height, width, _THICKNESS, "ellipse")
    positive = labels == object_id
    if previous is None:
        mask, negative = np.full((height, width), NEUTRAL, np.float32), np.zeros((height, width), bool)
    else:
        mask, negative = previous.astype(np.float32), (labels != NO_STROKE) & ~positive & previous
    return AnnotatedInput(mask=mask, positive=_blurred(positive), negative=_blurred(negative))


def sample_annotated_input(
    rng: np.random.Generator,
    true_mask: np.ndarray,
    ignored: np.ndarray | None = None,
    settings: AnnotatedInputSettings = PUBLISHED,
) -> AnnotatedInput:
    """Draw what a user gives for one object: points or strokes in a first round, else a deformed mask and corrections.

    true_mask: bool (H, W). ignored: bool (H, W), pixels where no user draws, for nobody knows the truth; or None.
    """
    require_masks(true_mask=true_mask)
    height, width = true_mask.shape
    if rng.random() < settings.first_round_probability:
        return scribble_maps(_first_strokes(rng, true_mask, settings), 1, None, height, width)
    previous = deform_mask(true_mask, draw_deformation(rng, true_mask, settings.deformation))
    seen = previous if ignored is None else np.where(ignored, true_mask, previous)
    strokes = robot_strokes(rng, true_mask.view(np.uint8), seen.view(np.uint8), (0, 1), settings.robot)
    return scribble_maps(strokes, 1, previous, height, width)


def _first_strokes(rng: np.random.Generator, true_mask: np.ndarray, settings: AnnotatedInputSettings) -> list[Stroke]:
    """What is drawn on an object of which nothing is known."""
    if settings.first_stroke_probability and rng.random() < settings.first_stroke_probability:
        truth = true_mask.view(np.uint8)
        # The robot passes over what is too small for a line.
        if strokes := robot_strokes(rng, truth, np.zeros_like(truth), (1,), settings.robot):
            return strokes
    return [_dot(point, *true_mask.shape) for point in random_points(rng, true_mask, settings.pixels_per_point)]


def _dot(point: np.ndarray, height: int, width: int) -> Stroke:
    """A stroke of one point (x, y), the middle of a pixel in pixels."""
    path = (point - 0.5) / np.maximum((width - 1, height - 1), 1)
    # Whole pixels are cut, not rounded, when they are drawn: a hair more keeps the pixel.
    return Stroke(object_id=1, path=np.clip(path + 1e-9, 0, 1)[None])


def _blurred(drawn: np.ndarray) -> np.ndarray:
    if not drawn.any():
        return np.zeros(drawn.shape, np.float32)
    return cv2.GaussianBlur(drawn.astype(np.float32), (_BLUR_SIDE, _BLUR_SIDE), _BLUR_SIGMA)
