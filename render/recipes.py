"""Recipes: the numbers of a corpus. `sampling` draws scenes from them.

`bl30k` holds the numbers of the BL30K generator (Cheng et al., CVPR 2021, and its published scene generator), with its
defects mended: clearance is checked at every frame time, step caps are symmetric, a scene that cannot be placed is
drawn again instead of accepted, objects do not leave through the camera, and the background plane fits the view.
`bl30k-plus` adds what the published corpus lacks, each feature with a probability of its own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from .sampling.clip import sample_scene
from .sampling.features import MOST_OBJECTS
from .scene import RenderSettings

__all__ = ["BL30K", "BL30K_PLUS", "RECIPES", "TINY", "RecipeSettings", "recipe_named", "sample_scene"]

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class RecipeSettings:
    """Every number of a recipe. Intervals are uniform draws; budgets are units (or radians) per frame.

    Probabilities of features are per clip, those of `pbr`, `lattice`, `articulation` and `animation` per object.
    Raises ValueError for a probability or a share outside [0, 1], an interval whose ends are swapped, or too many
    objects.
    """

    name: str = "bl30k"
    num_frames: int = 160
    objects: tuple[int, int] = (3, 5)
    degree: int = 4
    object_speed_units_per_frame: float = 0.03
    object_speed_radians_per_frame: float = 0.02
    object_scale: Interval = (1.25, 3.0)
    object_scale_change: Interval = (0.8**0.25, 1.25**0.25)
    object_depth: Interval = (-2.0, 5.0)
    frustum_apex: float = -6.0
    frustum_slope: float = 1.05 / 4.0
    """Half-width and half-height of the object frustum are slope * (y - apex)."""
    static_enter_probability: float = 0.10
    static_stay_probability: float = 0.35
    symmetric_caps: bool = True
    """False caps only moves in the positive direction, as the published generator does. For comparison only."""
    clearance_units: float = 0.75
    clearance_retries: int = 50
    camera_clearance_units: float = 2.5
    """Smallest distance between an object's centre and the camera, at every frame time."""
    background_clearance_units: float = 1.0
    """Smallest distance between an object's centre and the background plane, at every frame time."""
    centre_in_view_share: float = 0.25
    """Smallest share of frames in which an object's centre is inside the image."""
    camera_box: tuple[Interval, Interval, Interval] = ((-0.3, 0.3), (-6.0, -5.0), (-0.3, 0.3))
    look_at_box: tuple[Interval, Interval, Interval] = ((-0.5, 0.5), (3.0, 4.0), (-0.5, 0.5))
    camera_speed_units_per_frame: float = 0.10
    look_at_speed_units_per_frame: float = 0.10
    fov_radians: Interval = (0.7, 0.8)
    lights: tuple[int, int] = (1, 3)
    light_energy_watts: tuple[int, int] = (1000, 15000)
    light_radius: float = 11.0
    background_depth: float = 12.0
    background_emission: Interval = (0.1, 1.0)
    background_size: float | None = None
    """Side of the square background plane (BL30K: 40); None fits the plane to what the camera sees."""
    world_colour: tuple[float, float, float] = (0.535, 0.633, 0.608)
    world_strength: Interval = (0.2, 0.8)
    replace_textured_probability: float = 0.5
    """Probability of replacing the materials of a model that brings an appearance of its own (an image, vertex colours
    or several materials); without one it is 1."""
    texture_repeats: Interval = (0.7, 2.0)
    roughness: Interval = (0.3, 0.9)

    hdri_probability: float = 0.0
    """An environment map lights the scene; at most one point light stays, dimmed by `hdri_light_share`."""
    hdri_strength: Interval = (0.6, 1.4)
    hdri_light_share: Interval = (0.0, 0.4)
    environment_background_probability: float = 0.0
    """Given an environment map: it is seen behind the objects, there is no background plane."""
    lit_background_probability: float = 0.0
    """The background is a wall with a floor before it, both lit by the scene and under the objects' shadows."""
    floor_height: Interval = (-3.9, -2.2)
    """Lowest and highest floor; in between it lies under the lowest object."""
    floor_units_per_repeat: Interval = (2.0, 6.0)
    pbr_probability: float = 0.0
    """The texture of an object or a floor keeps its normal, roughness and displacement maps."""
    lattice_probability: float = 0.0
    lattice_amplitude: Interval = (0.06, 0.13)
    """Standard deviation of a lattice point's offset, in model diagonals."""
    articulation_probability: float = 0.0
    """The bones of a rigged model turn."""
    articulation_radians: Interval = (0.25, 0.6)
    articulation_frames_per_cycle: Interval = (24.0, 80.0)
    animation_probability: float = 0.0
    """A model with an animation plays it."""
    animation_frames_per_cycle: Interval = (32.0, 96.0)
    entering_probability: float = 0.0
    """One object starts outside the image and comes in."""
    leaving_probability: float = 0.0
    """One object ends outside the image."""
    guest_in_view_share: float = 0.4
    """Smallest share of frames in which the centre of an entering, leaving or distracting object is in the image."""
    crossing_probability: float = 0.0
    """One object passes behind another."""
    crossing_depth_gap: float = 1.5
    """Smallest distance in depth between the two when they lie on one line of sight, scene units."""
    shake_probability: float = 0.0
    shake_waves: tuple[int, int] = (2, 4)
    shake_cycles_per_frame: Interval = (0.03, 0.2)
    shake_location_units: Interval = (0.002, 0.012)
    shake_look_at_units: Interval = (0.02, 0.06)
    zoom_probability: float = 0.0
    zoom_ratio: Interval = (1.3, 1.9)
    """Longest by shortest focal length."""
    pan_probability: float = 0.0
    pan_radians: Interval = (0.35, 0.6)
    """Turn about the vertical between the first and the last frame."""
    motion_blur_probability: float = 0.0
    shutter_frames: Interval = (0.4, 0.9)
    depth_of_field_probability: float = 0.0
    f_stop: Interval = (0.2, 0.6)
    """Drawn uniformly in its logarithm; a scene unit counts as a metre."""
    physics_probability: float = 0.0
    """Objects fall onto the floor as rigid bodies; entering, leaving, crossing and deformation do not apply to such a
    clip."""
    physics_floor_height: Interval = (-2.1, -1.6)
    physics_scale: Interval = (0.65, 0.9)
    """Shrinks the falling objects, so that they lie beside one another."""
    physics_camera_rise: Interval = (0.2, 0.9)
    physics_fall_share: Interval = (0.3, 0.5)
    """Share of the clip after which an object that starts at the top of the view reaches the floor."""
    distractor_probability: float = 0.0
    """One more object with the model and the texture of another."""

    smallest_visible_area: int = 16
    """Quality gate: pixels an object must cover to count as seen in a frame."""
    smallest_visible_share: float = 0.2
    """Quality gate: share of the frames in which every object must be seen."""
    smallest_first_frame_area: int = 64
    """Quality gate: pixels that the largest object must cover in the first frame."""
    render: RenderSettings = field(default_factory=RenderSettings)

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            is_interval = isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple)
            numbers = value if is_interval else (value,)
            if entry.name.endswith(("_probability", "_share")) and not all(0 <= number <= 1 for number in numbers):
                raise ValueError(f"{entry.name} {value}: must be from 0 to 1")
            if is_interval and value[0] > value[1]:
                raise ValueError(f"{entry.name} {value}: the first number must not be larger than the second")
        if not 1 <= self.objects[0] <= self.objects[1] < MOST_OBJECTS:
            raise ValueError(f"objects {self.objects}: a clip holds 1 to {MOST_OBJECTS - 1} objects")

    def gate(self) -> dict[str, float]:
        """The numbers of the quality gate, as `checks.check_visibility` names them."""
        return {
            "smallest_area": self.smallest_visible_area,
            "smallest_share": self.smallest_visible_share,
            "smallest_first_frame_area": self.smallest_first_frame_area,
        }


BL30K = RecipeSettings()

BL30K_PLUS = dataclasses.replace(
    BL30K,
    name="bl30k-plus",
    hdri_probability=0.5,
    environment_background_probability=0.6,
    lit_background_probability=0.3,
    pbr_probability=0.7,
    lattice_probability=0.25,
    articulation_probability=0.7,
    animation_probability=0.7,
    entering_probability=0.25,
    leaving_probability=0.25,
    crossing_probability=0.35,
    shake_probability=0.3,
    zoom_probability=0.15,
    pan_probability=0.2,
    motion_blur_probability=0.3,
    depth_of_field_probability=0.2,
    physics_probability=0.12,
    distractor_probability=0.25,
)

TINY = dataclasses.replace(
    BL30K,
    name="tiny",
    num_frames=6,
    objects=(2, 3),
    smallest_first_frame_area=16,
    render=RenderSettings(width=96, height=64, samples=2),
)

RECIPES = {recipe.name: recipe for recipe in (BL30K, BL30K_PLUS, TINY)}


def recipe_named(name: str) -> RecipeSettings:
    """The settings of a recipe. Raises ValueError naming the known recipes."""
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r} is unknown; choose one of: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
