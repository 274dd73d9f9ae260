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


@dataclass(frozen=True, kw_only=True)
class CameraSpec:
    """The camera's path, where it looks, and its field of view along the larger image side (radians)."""

    location: ControlPoints
    look_at: ControlPoints
    fov_radians: float


@dataclass(frozen=True, kw_only=True)
class LightSpec:
    """A point light that stands still."""

    location: Vector
    colour: Vector
    energy_watts: float


@dataclass(frozen=True, kw_only=True)
class BackgroundSpec:
    """An emissive image plane behind the objects."""

    image: AssetReference
    emission_strength: float
    depth: float
    width: float
    height: float


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
