"""How the objects of a clip move: where each stands in every frame, and the shape of those that deform.

Shapes: F frames, V vertices of a model. Built once a clip, when the objects are in the scene.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import ObjectSpec, SceneSpec
from ..trajectory import evaluate_path
from .deformation import Deformation, build_deformation
from .physics import drop_objects


class SceneMotion:
    """The transforms and shapes of a clip's objects, frame by frame.

    matrices: one float64 (F, 4, 4) array an object, model to world; slots are places in `spec.objects`.
    """

    def __init__(self, models: list[bpy.types.Object], places: list[Places], shapes: list[Deformation | None]) -> None:
        self._models = models
        self._places = places
        self._shapes = shapes
        self.matrices = [entry.matrices for entry in places]

    def vertices(self, slot: int, frame: int) -> np.ndarray | None:
        """The deformed vertices of an object in model space, float32 (V, 3); None when it is rigid.

        Their order is that of the model's mesh. frame: 0 <= frame < F.
        """
        shape = self._shapes[slot]
        return None if shape is None else shape.vertices(frame)

    def show(self, frame: int) -> None:
        """Put every object where it is in a frame, and deforming models in their shape of it."""
        for model, place, shape in zip(self._models, self._places, self._shapes, strict=True):
            place.show(model, frame)
            if shape is not None:
                shape.show(frame)

    def keyframe(self) -> None:
        """Key the places of all objects, and make their keys and the camera's run in straight lines.

        Keys lie at whole frames and go on straight before the first and after the last, so that Cycles sees motion
        within every exposure. Shapes are no keys: `show` gives deforming models the velocities of their vertices.
        """
        for model, place in zip(self._models, self._places, strict=True):
            place.keyframe(model)
        camera = bpy.context.scene.camera
        for owner in (camera, camera.data) if camera is not None else ():
            straighten_keys(owner)


class Places:
    """Location, rotation and scale of one object in every frame.

    location, scale: float64 (F, 3); rotation: Euler angles XYZ in radians (F, 3), or unit quaternions wxyz (F, 4).
    """

    def __init__(self, location: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> None:
        self._mode, self._channel = "XYZ", "rotation_euler"
        if rotation.shape[1] == 4:
            self._mode, self._channel = "QUATERNION", "rotation_quaternion"
        self._location, self._rotation, self._scale = location, rotation, scale
        turn = _turns_from_euler(rotation) if self._mode == "XYZ" else _turns_from_quaternions(rotation)
        self.matrices = np.zeros((len(location), 4, 4))
        self.matrices[:, :3, :3] = turn * scale[:, None, :]
        self.matrices[:, :3, 3] = location
        self.matrices[:, 3, 3] = 1.0

    def show(self, model: bpy.types.Object, frame: int) -> None:
        model.rotation_mode = self._mode
        model.location, model.scale = self._location[frame], self._scale[frame]
        setattr(model, self._channel, self._rotation[frame])

    def keyframe(self, model: bpy.types.Object) -> None:
        model.rotation_mode = self._mode
        action = bpy.data.actions.new(f"motion-{model.name}")
        model.animation_data_create().action = action
        for channel, values in (
            ("location", self._location),
            (self._channel, self._rotation),
            ("scale", self._scale),
        ):
            for axis in range(values.shape[1]):
                curve = action.fcurve_ensure_for_datablock(model, channel, index=axis)
                curve.keyframe_points.add(len(values))
                keys = np.stack([np.arange(len(values)), values[:, axis]], axis=1)
                curve.keyframe_points.foreach_set("co", keys.astype(np.float32).ravel())
        straighten_keys(model)


def build_motion(spec: SceneSpec, models: list[bpy.types.Object]) -> SceneMotion:
    """Work out the motion of a clip: paths or a physics drop, and the deformation of models that have one.

    models: the objects of `add_object`, in the order of `spec.objects`. A deforming model may get a finer mesh here.
    Raises ValueError for a spec that cannot be moved as it asks, BrokenModel for a rig that cannot be played.
    """
    if spec.physics is not None:
        places = [Places(*fall) for fall in drop_objects(spec, models)]
        return SceneMotion(models, places, [None] * len(models))
    places = [_follow_path(entry, spec.num_frames) for entry in spec.objects]
    pairs = zip(spec.objects, models, strict=True)
    shapes = [build_deformation(entry, model, spec.num_frames) for entry, model in pairs]
    return SceneMotion(models, places, shapes)


def straighten_keys(owner: bpy.types.ID) -> None:
    """Make every animated channel of a data block linear between its keys, and straight before and after them.

    Euler angles are unwrapped first, because a line from +179 to -179 degrees would spin within one exposure.
    """
    for curve in _curves(owner):
        points = curve.keyframe_points
        if curve.data_path == "rotation_euler":
            keys = np.empty(2 * len(points), np.float32)
            points.foreach_get("co", keys)
            keys[1::2] = np.unwrap(keys[1::2])
            points.foreach_set("co", keys)
        for point in points:
            point.interpolation = "LINEAR"
        curve.extrapolation = "LINEAR"
        curve.update()


def _curves(owner: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The animation curves of a data block; an action may hold those of others too, each in a slot of its own."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return []
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    bags = [strip.channelbag(animation.action_slot) for strip in strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def _follow_path(entry: ObjectSpec, num_frames: int) -> Places:
    location, rotation, scale = (
        evaluate_path(np.array(points), num_frames) for points in (entry.location, entry.rotation, entry.scale)
    )
    return Places(location, rotation, scale)


def _turns_from_euler(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices (F, 3, 3) of Euler angles XYZ: first about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles).T, np.sin(angles).T
    return np.stack(
        [
            np.stack([cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz], axis=1),
            np.stack([cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz], axis=1),
            np.stack([-sy, sx * cy, cx * cy], axis=1),
        ],
        axis=1,
    )


def _turns_from_quaternions(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (F, 3, 3) of unit quaternions, w first."""
    w, x, y, z = quaternions.T
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1),
        ],
        axis=1,
    )
