"""How a still becomes a sequence: the published ranges as defaults, and everything beyond them."""

from dataclasses import dataclass, field
from typing import Literal

from ..augmentation.affine import BORDER_RGB, MAX_SHEAR_DEGREES
from ..augmentation.colour import JitterRange
from ..simulation.regions import require_limits, require_range

MAX_OBJECTS = 254


@dataclass(frozen=True, kw_only=True)
class SequenceSettings:
    """The defaults are Mask-Propagation's for still images (MiVOS and STCN train on the same).

    num_frames; size: side of the square frames in pixels. The still is scaled so that its shorter side is `size`.

    For the whole sequence: `still_scale` about the centre, `flip_probability`, `still_jitter`, `greyscale_probability`.
    For each frame anew: `rotation_degrees` and `shear_degrees` (+-), `frame_scale`, the place of the crop,
    `frame_jitter`, and with `spline_probability` a thin-plate spline of `spline_points` points, each moved by
    N(0, spline_displacement) of the side along x and y.
    motion: "independent" draws each frame for itself, as published; "steady" moves evenly from one draw to another
    from the first frame to the last, for longer sequences; splines and jitter are drawn for each frame either way.
    border: colour of what lies outside the still.

    Beyond what is published, all off:
    num_still_objects: at most so many objects of a still with several, drawn at random; the others are background.
    num_pasted: range of the number of objects pasted from other stills. Each has a motion of its own: its box's longer
    side is `pasted_size` of the frame's, its centre starts within the middle `pasted_spread` of the frame and moves by
    up to `pasted_shift` of the side from frame to frame, evenly, and it is turned, scaled, sheared, bent and jittered
    like the still. The order of all objects in depth is drawn once.
    behind_probability: a pasted object may go behind the still's own objects.
    background_probability: the still's objects are cut out and laid over another still or picture, which moves by
    itself.
    region_probability: the still's objects, or those of a still to paste from, give way to a region of random shape,
    whose longer side is `region_size` of the still's shorter side.
    edges: "soft" keeps the mask's interpolated edge and widens it by a Gaussian of `feather_pixels`; "hard" cuts at
    the middle of the edge. Labels are the same either way.
    blur_probability, blur_sigma, motion_blur_probability (of a blurred sequence), motion_blur_length (pixels);
    jpeg_probability, jpeg_quality: once for the whole sequence.
    min_visible_area: pixels (of a 384x384 frame, scaled with the frame) that an object must show in the first frame to
    be labelled. Without such an object the sequence is drawn again, at most `max_redraws` times, and is all background
    in the end. 0, as published, labels whatever the crop shows.
    match_cell: pixels of the side of the cells that are matched from frame to frame (see `matches`), a divisor of
    `size`; 0 for none.
    """

    num_frames: int = 3
    size: int = 384
    still_scale: tuple[float, float] = (0.8, 1.5)
    flip_probability: float = 0.5
    still_jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.1, contrast=0.05, saturation=0.05, hue=0.05)
    )
    greyscale_probability: float = 0.05
    rotation_degrees: float = 20.0
    shear_degrees: float = 10.0
    frame_scale: tuple[float, float] = (0.9, 1.1)
    frame_jitter: JitterRange = field(
        default_factory=lambda: JitterRange(brightness=0.1, contrast=0.05, saturation=0.05)
    )
    spline_probability: float = 0.33
    spline_points: int = 12
    spline_displacement: float = 0.02
    motion: Literal["independent", "steady"] = "independent"
    border: tuple[int, int, int] = BORDER_RGB

    num_still_objects: int = 1
    num_pasted: tuple[int, int] = (0, 0)
    pasted_size: tuple[float, float] = (0.2, 0.6)
    pasted_spread: float = 0.8
    pasted_shift: float = 0.05
    behind_probability: float = 0.5
    background_probability: float = 0.0
    region_probability: float = 0.0
    region_size: tuple[float, float] = (0.2, 0.9)
    edges: Literal["soft", "hard"] = "soft"
    feather_pixels: float = 0.0
    blur_probability: float = 0.0
    blur_sigma: tuple[float, float] = (0.4, 1.6)
    motion_blur_probability: float = 0.5
    motion_blur_length: tuple[float, float] = (3.0, 11.0)
    jpeg_probability: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 90)
    min_visible_area: float = 0.0
    max_redraws: int = 5
    match_cell: int = 0

    def __post_init__(self) -> None:
        self._check_least(("num_frames", 1), ("size", 16), ("num_still_objects", 1), ("spline_points", 3))
        self._check_least(("rotation_degrees", 0), ("spline_displacement", 0), ("pasted_shift", 0))
        self._check_least(("feather_pixels", 0), ("min_visible_area", 0), ("max_redraws", 0), ("match_cell", 0))
        if self.match_cell and self.size % self.match_cell:
            raise ValueError(f"match_cell is {self.match_cell}, it must divide the size of {self.size}")
        for name in ("flip", "greyscale", "spline", "behind", "background", "region", "blur", "motion_blur", "jpeg"):
            self._check_range(f"{name}_probability", 0, 1)
        self._check_range("pasted_spread", 0, 1)
        self._check_range("shear_degrees", 0, MAX_SHEAR_DEGREES)
        for name, low, high in (
            ("still_scale", 0.01, 100),
            ("frame_scale", 0.01, 100),
            ("num_pasted", 0, 100),
            ("pasted_size", 0.01, 10),
            ("region_size", 0.01, 10),
            ("blur_sigma", 0, 100),
            ("motion_blur_length", 0, 100),
            ("jpeg_quality", 1, 100),
        ):
            require_range(name, getattr(self, name), low, high)
        if self.num_still_objects + self.num_pasted[1] > MAX_OBJECTS:
            most = f"num_still_objects is {self.num_still_objects} and num_pasted {self.num_pasted}"
            raise ValueError(f"{most}; together they may be {MAX_OBJECTS}, for ids are 1 to {MAX_OBJECTS}")
        for name, allowed in (("motion", ("independent", "steady")), ("edges", ("soft", "hard"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, it must be {' or '.join(map(repr, allowed))}")

    def _check_least(self, *limits: tuple[str, float]) -> None:
        for name, least in limits:
            require_limits(least, **{name: getattr(self, name)})

    def _check_range(self, name: str, low: float, high: float) -> None:
        require_limits(low, high, **{name: getattr(self, name)})
