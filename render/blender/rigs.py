"""Rigged and animated model files: their motion as vertices of the joined, normalised model.

Models lose their rig when `models` joins their parts, so the file is loaded a second time here, played, and its parts
are laid over the joined mesh. Shapes: V vertices of the joined model, F frames, K stored poses.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..scene import AssetReference, DeformationSpec
from .models import SOURCE_VERTEX, BrokenModel, import_file, mesh_parts

MOST_BAKED_BYTES = 64 * 2**20
"""Bound on the stored poses of one model; a model too large for one pose a frame is interpolated between fewer."""
PHASE_STEP = 0.381966
"""Golden section: the phases of a rig's bones spread evenly however many they are."""
SAME_POSE = 0.02
"""In bounding box diagonals: an animation that ends this near to where it starts is repeated, others run back."""
SMALLEST_MOTION = 0.002


def bake_rig(
    reference: AssetReference, wanted: DeformationSpec, model: bpy.types.Object, num_frames: int
) -> Callable[[int], np.ndarray]:
    """Play a model's animation, or turn the bones of its rig, over a clip.

    model: the joined model of the same file. Returns a function from frame to vertices in model space, float32 (V, 3),
    in the order of the model's mesh. Raises BrokenModel when the model has no such rig or animation.
    """
    if reference.path is None:
        raise BrokenModel(f"has no {wanted.kind} motion: it is procedural, not a file with a rig")
    with _imported(reference.path) as (parts, others):
        played = _PlayedModel(parts)
        order = played.order_in(model)
        pose = _animation(parts + others, played) if wanted.kind == "animation" else _articulation(parts, wanted)
        if pose is None:
            raise BrokenModel("has no animation" if wanted.kind == "animation" else "has no rig with bones to turn")
        num_poses = int(np.clip(MOST_BAKED_BYTES // (12 * len(order)), 2, max(num_frames, 2)))
        poses = np.empty((num_poses, len(order), 3), np.float32)
        for index, time in enumerate(np.linspace(0.0, max(num_frames - 1, 1), num_poses)):
            pose(wanted.phase + wanted.cycles_per_frame * time)
            poses[index] = played.vertices()[order]
    if not np.isfinite(poses).all():
        raise BrokenModel("moves its vertices to places that are not finite numbers")
    return functools.partial(_between, poses, (num_poses - 1) / max(num_frames - 1, 1))


def measure_rig(path: str) -> dict[str, bool]:
    """Whether a model file has bones to turn, and an animation that moves its surface.

    Returns {"rigged": bool, "animated": bool}. What is in the scene stays there. Raises BrokenModel for a file without
    a mesh.
    """
    with _imported(path) as (parts, others):
        played = _PlayedModel(parts)
        play = _animation(parts + others, played)
        poses = [played.vertices()]
        for cycle in (0.0, 0.21, 0.46, 0.73) if play is not None else ():
            play(cycle)
            poses.append(played.vertices())
        moved = max(float(np.abs(pose - poses[-1]).max()) for pose in poses)
        return {"rigged": bool(_turning_bones(parts)), "animated": moved > SMALLEST_MOTION}


class _PlayedModel:
    """The parts of an imported file, seen as the vertices of the one normalised model they are joined to.

    At creation the parts are as the file holds them: bones at rest, objects where the first scene frame puts them.
    """

    def __init__(self, parts: list[bpy.types.Object]) -> None:
        self._parts = parts
        rest = [_placed(_coordinates(part.data), part.matrix_world) for part in parts]
        self._sizes = [len(entry) for entry in rest]
        joined = np.concatenate(rest)
        low, high = joined.min(axis=0), joined.max(axis=0)
        self._centre, self._diagonal = (low + high) / 2, float(np.linalg.norm(high - low)) or 1.0
        self._rest = (joined - self._centre) / self._diagonal

    def vertices(self) -> np.ndarray:
        """The vertices of all parts as they stand now, one part after the other, float64 (V, 3)."""
        graph = bpy.context.evaluated_depsgraph_get()
        now = []
        for part, size in zip(self._parts, self._sizes, strict=True):
            evaluated = part.evaluated_get(graph)
            if len(evaluated.data.vertices) != size:
                raise BrokenModel("changes its number of vertices when its animation plays")
            now.append(_placed(_coordinates(evaluated.data), evaluated.matrix_world))
        return (np.concatenate(now) - self._centre) / self._diagonal

    def order_in(self, model: bpy.types.Object) -> np.ndarray:
        """For each vertex of the joined model, its place in `vertices()`; int (V,)."""
        order = np.empty(len(model.data.vertices), np.int32)
        model.data.attributes[SOURCE_VERTEX].data.foreach_get("value", order)
        if len(order) != len(self._rest) or not np.allclose(_coordinates(model.data), self._rest[order], atol=1e-4):
            raise BrokenModel("has a rig that does not lie on the joined model")
        return order


@contextlib.contextmanager
def _imported(path: str) -> Iterator[tuple[list[bpy.types.Object], list[bpy.types.Object]]]:
    """A file's parts with surfaces, and its other objects, in the scene for a while."""
    scene = bpy.context.scene
    kept_frame = scene.frame_current
    collections = (bpy.data.objects, bpy.data.meshes, bpy.data.armatures, bpy.data.actions, bpy.data.materials)
    collections += (bpy.data.images, bpy.data.collections)
    before = [set(entry) for entry in collections]
    scene.frame_set(1)  # `models` measures a model in the scene's first frame
    try:
        parts = mesh_parts(import_file(path))
        bpy.context.view_layer.update()
        others = [entry for entry in bpy.data.objects if entry not in before[0] and entry not in parts]
        yield parts, others
    finally:
        for collection, known in zip(collections, before, strict=True):
            bpy.data.batch_remove([entry for entry in collection if entry not in known])
        scene.frame_set(kept_frame)


def _animation(objects: list[bpy.types.Object], played: _PlayedModel) -> Callable[[float], None] | None:
    """A function that puts the objects where their first animation has them at a time in cycles; None without one.

    The importers leave every object with its action of the file's first animation.
    """
    keys = [entry.data.shape_keys for entry in objects if entry.type == "MESH" and entry.data.shape_keys]
    owners = [entry.animation_data for entry in (*objects, *keys) if entry.animation_data is not None]
    ranges = [owner.action.frame_range for owner in owners if owner.action is not None]
    if not ranges or max(end for _, end in ranges) <= min(start for start, _ in ranges):
        return None
    start, end = min(start for start, _ in ranges), max(end for _, end in ranges)

    def show(time: float) -> None:
        whole = int(np.floor(time))
        bpy.context.scene.frame_set(whole, subframe=float(time - whole))

    show(start)
    first = played.vertices()
    show(end)
    repeats = np.abs(played.vertices() - first).max() < SAME_POSE

    def play(cycle: float) -> None:
        share = cycle % 1.0 if repeats else 1.0 - abs(1.0 - 2.0 * ((cycle / 2.0) % 1.0))
        show(start + share * (end - start))

    return play


def _articulation(parts: list[bpy.types.Object], wanted: DeformationSpec) -> Callable[[float], None] | None:
    """A function that turns the bones of a rig to where they are at a time in cycles; None without such bones.

    Every bone that carries surface swings about its own x or z axis as a sine wave; the first of each chain rests.
    """
    bones = _turning_bones(parts)
    for rig in {bone.id_data for bone in bones}:
        rig.animation_data_clear()
        for bone in rig.pose.bones:
            bone.matrix_basis.identity()
            bone.rotation_mode = "QUATERNION"
            bone.location, bone.rotation_quaternion, bone.scale = (0, 0, 0), (1, 0, 0, 0), (1, 1, 1)

    # What carries most of the body turns least; else the small turns of a spine would add up to a somersault.
    carried = [sum(bone in other.parent_recursive for other in bones) / max(len(bones), 1) for bone in bones]

    def turn(cycle: float) -> None:
        for place, (bone, share) in enumerate(zip(bones, carried, strict=True)):
            swing = np.sin(2 * np.pi * (cycle + PHASE_STEP * place))
            axis = Vector((1, 0, 0)) if place % 2 else Vector((0, 0, 1))
            bone.rotation_quaternion = Quaternion(axis, float(wanted.amplitude_radians * (1.0 - share) * swing))
        bpy.context.view_layer.update()

    return turn if bones else None


def _turning_bones(parts: list[bpy.types.Object]) -> list[bpy.types.PoseBone]:
    """The bones that carry surface and hang on another such bone, in the order of their rigs."""
    carried: dict[bpy.types.Object, set[str]] = {}
    for part in parts:
        for modifier in part.modifiers:
            if modifier.type == "ARMATURE" and modifier.object is not None:
                used = {group.group for vertex in part.data.vertices for group in vertex.groups if group.weight > 0}
                names = {group.name for group in part.vertex_groups if group.index in used}
                carried.setdefault(modifier.object, set()).update(names)
    return [
        bone
        for rig, names in carried.items()
        for bone in rig.pose.bones
        if bone.name in names and any(parent.name in names for parent in bone.parent_recursive)
    ]


def _between(poses: np.ndarray, poses_per_frame: float, frame: int) -> np.ndarray:
    """The pose of a frame, float32 (V, 3), linear between stored poses."""
    place = frame * poses_per_frame
    first = min(int(place), len(poses) - 2)
    share = np.float32(place - first)
    return poses[first] if share == 0 else poses[first] + share * (poses[first + 1] - poses[first])


def _coordinates(mesh: bpy.types.Mesh) -> np.ndarray:
    coordinates = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", coordinates.reshape(-1))
    return coordinates


def _placed(coordinates: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Coordinates in the world, float64 (V, 3)."""
    world = np.array(matrix)
    return coordinates @ world[:3, :3].T + world[:3, 3]
