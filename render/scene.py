"""SceneSpec: one clip as plain data. The renderer is a view of it; nothing here knows Blender.

Units: scene units (the camera stands about 5.5 units before the origin), radians, watts, pixels.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field

Vector = tuple[float, float, float]
ControlPoints = tuple[Vector, ...]


@dataclass(frozen=True, kw_only=True)
class AssetReference:
    """One model, texture or background: a file of a folder, or a draw of the procedural set."""

    name: str
    """Name in the ledger, e.g. `models/banana/model.gltf` or `procedural/model/vase/812`; the same on every machine."""
    path: str | None = None
    """Absolute file path; None for procedural assets."""
    family: str | None = None
    """Procedural family; None for files."""
    seed: int = 0
    """Seed of the procedural draw."""
    maps: tuple[tuple[str, str], ...] = ()
    """Further maps of a PBR texture set, (kind, absolute path); kinds: normal, roughness, metalness, displacement."""


@dataclass(frozen=True, kw_only=True)
class DeformationSpec:
    """How a model changes its shape over the clip.

    kind: "lattice" bends the model by a 3x3x3 lattice around its bounding box; "articulated" turns the bones of a rig
    that brings no animation; "animation" plays the first animation of the file.
    """

    kind: str
    lattice: tuple[ControlPoints, ...] = ()
    """Lattice: one entry for each of the path's control times, each 27 offsets in model diagonals, x fastest."""
    amplitude_radians: float = 0.0
    """Articulated: largest turn of a bone."""
    cycles_per_frame: float = 0.0
    """Articulated: frequency of the turns. Animation: 1 / frames of one whole playback."""
    phase: float = 0.0
    """Articulated and animation: where the motion starts, in cycles."""


@dataclass(frozen=True, kw_only=True)
class ObjectSpec:
    """One moving object: its instance id, its model and its path."""

    instance_id: int
    model: AssetReference
    texture: AssetReference | None
    """Replaces the model's own materials when given."""
    texture_repeats: float = 1.0
    """How often the texture repeats over a length of the model's bounding box diagonal."""
    roughness: float = 0.5
    location: ControlPoints = ()
    rotation: ControlPoints = ()
    """Euler angles XYZ, radians."""
    scale: ControlPoints = ()
    deformation: DeformationSpec | None = None
    distractor_of: int | None = None
    """Instance id of the object whose model and texture this one repeats."""


@dataclass(frozen=True, kw_only=True)
class ShakeWave:
    """One sine wave of a hand-held camera: it moves the location and the point looked at (scene units)."""

    location: Vector
    look_at: Vector
    cycles_per_frame: float
    phase: float
    """In cycles."""


@dataclass(frozen=True, kw_only=True)
class LensSpec:
    """Depth of field: the lens is focused on the centre of an object, frame by frame."""

    f_stop: float
    focus_id: int
    """Instance id of the object in focus."""


@dataclass(frozen=True, kw_only=True)
class CameraSpec:
    """The camera's path, where it looks, and its lens. `camera_path` evaluates it."""

    location: ControlPoints
    look_at: ControlPoints
    fov_radians: tuple[float, ...]
    """Field of view along the larger image side: control values at equal times, linear in focal length between them;
    one value for a lens that does not zoom."""
    shake: tuple[ShakeWave, ...] = ()
    lens: LensSpec | None = None
    """None: everything is in focus."""
    shutter_frames: float = 0.0
    """Exposure as a share of the time between frames, centred on the frame; 0: no motion blur."""


@dataclass(frozen=True, kw_only=True)
class LightSpec:
    """A point light that stands still."""

    location: Vector
    colour: Vector
    energy_watts: float


@dataclass(frozen=True, kw_only=True)
class FloorSpec:
    """A horizontal, lit floor from before the camera to the background; shadows fall on it."""

    height: float
    """z of its surface."""
    texture: AssetReference
    units_per_repeat: float
    roughness: float = 0.7


@dataclass(frozen=True, kw_only=True)
class BackgroundSpec:
    """What stands behind the objects.

    kind: "emissive" (BL30K: a picture that shines by itself), "lit" (a picture on a wall, lit by the scene, with
    shadows), or "environment" (no plane: the environment map of the world is seen).
    """

    image: AssetReference
    emission_strength: float
    depth: float
    width: float
    height: float
    kind: str = "emissive"
    floor: FloorSpec | None = None


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """An equirectangular high-dynamic-range picture around the scene."""

    image: AssetReference
    rotation_radians: float
    """About the vertical axis."""
    strength: float


@dataclass(frozen=True, kw_only=True)
class PhysicsSpec:
    """Objects fall from their first control point onto the floor (rigid bodies, Bullet through BlenderProc).

    Their first location, rotation and scale are where they start; the other control points are not used.
    """

    gravity: float = -9.81
    frames_per_second: float = 24.0
    friction: float = 0.6
    bounciness: float = 0.3
    substeps_per_frame: int = 10


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """How a frame is rendered and stored."""

    width: int = 768
    height: int = 512
    samples: int = 16
    adaptive_threshold: float = 0.0
    """Noise threshold of adaptive sampling; 0 switches it off."""
    denoise: bool = True
    denoise_quality: str = "FAST"
    """Open Image Denoise quality: FAST, BALANCED or HIGH."""
    denoise_prefilter: str = "NONE"
    """Prefilter of the denoiser's albedo and normal guides: NONE, FAST or ACCURATE."""
    max_bounces: int = 3
    glossy_bounces: int = 1
    transmission_bounces: int = 2
    light_tree: bool = False
    persistent_data: bool = True
    two_pass_masks: bool = False
    """Render ids in a second, emission-only pass as the published renderer does. For comparison only."""
    view_transform: str = "Filmic"
    jpeg_quality: int = 95
    threads: int = 1
    device: str = "auto"
    """auto (OptiX, then CUDA, then CPU), cpu, cuda or optix."""
    engine: str = "cycles"
    """cycles, or eevee on a real GPU; ground truth always comes from Cycles."""
    passes: tuple[str, ...] = ("ids",)
    """Ground truth to store; names of `datagen.passes.PASSES`, ids always among them."""


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """A clip before it is rendered: everything the worker needs, and nothing it could draw itself."""

    recipe: str
    index: int
    attempt: int
    num_frames: int
    objects: tuple[ObjectSpec, ...]
    camera: CameraSpec
    lights: tuple[LightSpec, ...]
    background: BackgroundSpec
    world_colour: Vector
    world_strength: float
    environment: EnvironmentSpec | None = None
    """Lights the scene instead of `world_colour` when given."""
    physics: PhysicsSpec | None = None
    render: RenderSettings = field(default_factory=RenderSettings)
    render_seed: int = 0

    def to_json(self) -> str:
        """The spec as JSON text with sorted keys; `from_json` restores an equal spec."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> SceneSpec:
        """Restore a spec written by `to_json`. Raises ValueError on text of another shape."""
        try:
            return _build(SceneSpec, json.loads(text))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"this is not a scene spec: {error}; write one with SceneSpec.to_json") from error


def _build(wanted: typing.Any, value: typing.Any) -> typing.Any:
    """Turn JSON values into the nested dataclasses and tuples that `wanted` names."""
    if dataclasses.is_dataclass(wanted):
        hints = typing.get_type_hints(wanted)
        return wanted(**{name: _build(hints[name], entry) for name, entry in value.items()})
    origin = typing.get_origin(wanted)
    if origin is tuple:
        entry_types = typing.get_args(wanted)
        if entry_types[-1] is Ellipsis:
            return tuple(_build(entry_types[0], entry) for entry in value)
        return tuple(_build(kind, entry) for kind, entry in zip(entry_types, value, strict=True))
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _build(next(kind for kind in typing.get_args(wanted) if kind is not type(None)), value)
    return value
