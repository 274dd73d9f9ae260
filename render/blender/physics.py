"""Physics drops: the objects of a clip fall onto its floor as rigid bodies (Bullet, through BlenderProc).

What falls are stand-ins: convex hulls with the objects' scale in their mesh, because Bullet knows no scale. Shapes: F
frames.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy
import numpy as np
from mathutils import Euler, Matrix

from ..hull import Hull, convex_hull, lifts_apart
from ..scene import ObjectSpec, PhysicsSpec, SceneSpec
from .session import bproc

COLLISION_MARGIN = 0.002
START_GAP = 0.02
SLAB = 200.0
"""Side of the floor and wall, in scene units: nothing rolls off."""
SLAB_THICKNESS = 4.0
"""Thick, so that nothing passes through between two steps of the simulation."""
ANGULAR_DAMPING = 0.3
"""Stands for rolling resistance, which Bullet lacks here: a ball comes to rest."""
FIRST_FRAME = 1


def drop_objects(spec: SceneSpec, models: list[bpy.types.Object]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Let the objects of a clip fall, from where their first control points place them.

    Objects that would start in the floor, the wall or one another are lifted (or moved before the wall) first. Returns
    for each object its location float64 (F, 3), rotation as unit quaternions wxyz (F, 4), scale (F, 3). The same spec
    gives the same numbers in every process on one kind of machine. Raises ValueError without a floor.
    """
    if spec.physics is None or spec.background.floor is None:
        raise ValueError("a physics drop needs a floor to fall on; give the background a FloorSpec")
    floor = spec.background.floor.height
    wall = spec.background.depth if spec.background.kind == "lit" else None
    scales = [np.array(entry.scale[0], np.float64) for entry in spec.objects]
    hulls = [convex_hull(_vertices(model) * scale) for model, scale in zip(models, scales, strict=True)]
    starts = _starts(spec.objects, hulls, floor, wall)
    with _rigid_world(spec.physics, spec.num_frames):
        bodies = [_add_body(hull, start, spec.physics) for hull, start in zip(hulls, starts, strict=True)]
        _add_slab((0.0, 0.0, floor - SLAB_THICKNESS / 2), (SLAB, SLAB, SLAB_THICKNESS), spec.physics)
        if wall is not None:
            _add_slab((0.0, wall + SLAB_THICKNESS / 2, floor), (SLAB, SLAB_THICKNESS, SLAB), spec.physics)
        poses = _simulate(bodies, spec.num_frames)
    return [_places(pose, hull, scale) for pose, hull, scale in zip(poses, hulls, scales, strict=True)]


def _starts(objects: tuple[ObjectSpec, ...], hulls: list[Hull], floor: float, wall: float | None) -> list[Matrix]:
    """Where the hulls' centres of mass start, clear of everything."""
    starts = []
    for entry, hull in zip(objects, hulls, strict=True):
        turn = Euler(entry.rotation[0], "XYZ").to_matrix().to_4x4()
        starts.append(Matrix.Translation(entry.location[0]) @ turn @ Matrix.Translation(hull.centre))
    bodies = []
    for start, hull in zip(starts, hulls, strict=True):
        body = hull.points @ np.array(start)[:3, :3].T + np.array(start)[:3, 3]
        if wall is not None:
            behind = max(0.0, float(body[:, 1].max()) + START_GAP - wall)
            body[:, 1] -= behind
            start.translation.y -= behind
        bodies.append(body)
    for start, lift in zip(starts, lifts_apart(bodies, floor, START_GAP), strict=True):
        start.translation.z += float(lift)
    return starts


@contextlib.contextmanager
def _rigid_world(physics: PhysicsSpec, num_frames: int) -> Iterator[None]:
    """A rigid-body world of its own; afterwards it, its bodies and its settings are gone."""
    scene = bpy.context.scene
    kept = scene.frame_current, scene.render.fps, scene.render.fps_base, tuple(scene.gravity)
    known = set(bpy.data.objects), set(bpy.data.meshes), set(bpy.data.collections)
    scene.frame_set(FIRST_FRAME)
    scene.render.fps = round(physics.frames_per_second)
    scene.render.fps_base = scene.render.fps / physics.frames_per_second
    scene.gravity, scene.use_gravity = (0.0, 0.0, physics.gravity), True
    bpy.ops.rigidbody.world_add()
    world = scene.rigidbody_world
    world.substeps_per_frame, world.solver_iterations = physics.substeps_per_frame, 30
    world.point_cache.frame_start, world.point_cache.frame_end = FIRST_FRAME, FIRST_FRAME + max(num_frames, 2)
    try:
        yield
    finally:
        bpy.ops.rigidbody.world_remove()
        for before, collection in zip(known, (bpy.data.objects, bpy.data.meshes, bpy.data.collections), strict=True):
            bpy.data.batch_remove([entry for entry in collection if entry not in before])
        scene.render.fps, scene.render.fps_base, scene.gravity = kept[1:]
        scene.frame_set(kept[0])


def _add_body(hull: Hull, start: Matrix, physics: PhysicsSpec) -> bpy.types.Object:
    mesh = bpy.data.meshes.new("body")
    mesh.from_pydata(hull.points.tolist(), [], [])
    body = bpy.data.objects.new("body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.matrix_world = start
    _make_rigid(bproc.types.MeshObject(body), True, "CONVEX_HULL", physics, mass=max(hull.volume, 0.01))
    return body


def _add_slab(centre: tuple[float, float, float], size: tuple[float, float, float], physics: PhysicsSpec) -> None:
    slab = bproc.object.create_primitive("CUBE", size=1.0, location=list(centre))
    slab.blender_obj.data.transform(Matrix.Diagonal((*size, 1.0)))
    _make_rigid(slab, False, "BOX", physics, mass=1.0)


def _make_rigid(body: bproc.types.MeshObject, active: bool, shape: str, physics: PhysicsSpec, mass: float) -> None:
    # Bullet multiplies the coefficients of the two bodies that touch: roots make every pair's product the wanted one.
    body.enable_rigidbody(
        active,
        collision_shape=shape,
        collision_margin=COLLISION_MARGIN,
        mass=mass,
        friction=physics.friction**0.5,
        angular_damping=ANGULAR_DAMPING,
    )
    body.blender_obj.rigid_body.restitution = physics.bounciness**0.5


def _simulate(bodies: list[bpy.types.Object], num_frames: int) -> list[list[Matrix]]:
    """Step through the clip; the poses of each body, frame by frame."""
    scene, poses = bpy.context.scene, [[] for _ in bodies]
    for frame in range(num_frames):
        scene.frame_set(FIRST_FRAME + frame)
        graph = bpy.context.evaluated_depsgraph_get()
        for body, path in zip(bodies, poses, strict=True):
            path.append(body.evaluated_get(graph).matrix_world.copy())
    return poses


def _places(pose: list[Matrix], hull: Hull, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An object's location, quaternions without jumps of sign, and scale, from the poses of its hull."""
    turns = [matrix.to_quaternion().normalized() for matrix in pose]
    centres = np.array([matrix.translation for matrix in pose])
    shifts = np.array([np.array(turn.to_matrix()) @ hull.centre for turn in turns])
    rotation = np.array([tuple(turn) for turn in turns])
    for frame in range(1, len(rotation)):
        if rotation[frame] @ rotation[frame - 1] < 0:
            rotation[frame] *= -1
    return centres - shifts, rotation, np.tile(scale, (len(pose), 1))


def _vertices(model: bpy.types.Object) -> np.ndarray:
    vertices = np.empty((len(model.data.vertices), 3), np.float32)
    model.data.vertices.foreach_get("co", vertices.reshape(-1))
    return vertices
