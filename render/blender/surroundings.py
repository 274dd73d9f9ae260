"""What stands around the objects: camera, lights, and the background with its floor."""

from __future__ import annotations

import bpy
import numpy as np

from ..assets.pictures import load_image
from ..camera_path import camera_focal_lengths, camera_intrinsics, camera_poses
from ..scene import SceneSpec
from .materials import textured_material
from .pictures import as_blender_image, crop_to_aspect
from .session import bproc
from .world import add_world, exposure_stops

BACKGROUND_TEXELS_PER_PIXEL = 1.6
FLOOR_START = -14.0
"""y at which a floor starts: well behind the camera, so that it also lights the objects from below."""
OPEN_FLOOR_SIZE = 60.0
"""How far a floor without a wall reaches, towards the horizon of the environment."""
LAMP_RADIUS = 0.4
"""Radius of a lamp that casts shadows on a floor or wall, in scene units; a point would cut them out hard."""


def add_camera(spec: SceneSpec) -> None:
    """Key the scene's camera and its focal length at every frame; `SceneMotion.keyframe` straightens the keys."""
    settings, scene = spec.render, bpy.context.scene
    camera = scene.camera.data
    camera.sensor_fit, camera.sensor_width = "AUTO", 36.0
    camera.clip_start, camera.clip_end = 0.1, 1000.0
    for frame, pose in enumerate(camera_poses(spec.camera, spec.num_frames)):
        bproc.camera.add_camera_pose(pose, frame=frame)
    focal_lengths = camera_focal_lengths(spec.camera, spec.num_frames, settings.width, settings.height)
    for frame, focal_length in enumerate(focal_lengths):
        camera.lens = focal_length * camera.sensor_width / max(settings.width, settings.height)
        camera.keyframe_insert("lens", frame=frame)


def camera_metadata(spec: SceneSpec) -> dict:
    """Intrinsics (F, 3, 3) in pixels and camera-to-world poses (F, 4, 4) of a clip, as lists."""
    settings = spec.render
    intrinsics = camera_intrinsics(spec.camera, spec.num_frames, settings.width, settings.height)
    return {
        "intrinsics": np.round(intrinsics, 6).tolist(),
        "poses": np.round(camera_poses(spec.camera, spec.num_frames), 9).tolist(),
    }


def add_lights(spec: SceneSpec) -> None:
    """Add the point lights, the light of the world, and the exposure that they ask for."""
    for entry in spec.lights:
        light = bproc.types.Light(light_type="POINT")
        light.set_location(entry.location)
        light.set_color(entry.colour)
        light.set_energy(entry.energy_watts)
        if spec.background.kind == "lit" or spec.background.floor is not None:
            light.blender_obj.data.shadow_soft_size = LAMP_RADIUS
    add_world(spec)
    bpy.context.scene.view_settings.exposure = exposure_stops(spec)


def add_background(spec: SceneSpec) -> None:
    """What is behind the objects and below them; all of it has id 0."""
    kind, floor = spec.background.kind, spec.background.floor
    if kind not in ("emissive", "lit", "environment"):
        raise ValueError(f"background.kind is {kind!r}; choose emissive, lit or environment")
    if kind == "environment" and spec.environment is None:
        raise ValueError("background.kind is 'environment', but the scene has no environment; give it one")
    if kind == "emissive":
        _add_emissive_plane(spec)
    elif kind == "lit":
        _add_wall(spec)
    if floor is not None:
        _add_floor(spec)


def _add_emissive_plane(spec: SceneSpec) -> None:
    """A plane that shines by itself, facing the camera, its picture cropped to the plane's shape (BL30K)."""
    entry = spec.background
    plane = bproc.object.create_primitive("PLANE", size=1.0, location=[0.0, entry.depth, 0.0])
    plane.set_rotation_euler([np.pi / 2, 0.0, 0.0])
    plane.set_scale([entry.width, entry.height, 1.0])
    material = bproc.material.create("background")
    # The picture is to look the same whatever the exposure of the scene before it.
    strength = entry.emission_strength * 2.0 ** -exposure_stops(spec)
    material.make_emissive(strength, replace=True, emission_color=[1.0, 1.0, 1.0, 1.0])
    nodes, links = material.blender_obj.node_tree.nodes, material.blender_obj.node_tree.links
    texture = _picture_node(spec, nodes, entry.width / entry.height)
    links.new(texture.outputs["Color"], next(n for n in nodes if n.type == "EMISSION").inputs["Color"])
    material.blender_obj.cycles.emission_sampling = "NONE"
    plane.replace_materials(material)
    plane.blender_obj.pass_index = 0


def _add_wall(spec: SceneSpec) -> None:
    """The picture on a matt wall that the lamps light and the objects cast shadows on; it stands on the floor."""
    entry = spec.background
    bottom = entry.floor.height if entry.floor else -entry.height / 2
    low, high = (-entry.width / 2, bottom), (entry.width / 2, entry.height / 2)
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    wall = _add_quad("wall", [(x, entry.depth, z) for x, z in corners])
    material = bproc.material.create("wall").blender_obj
    nodes, links = material.node_tree.nodes, material.node_tree.links
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    principled.inputs["Roughness"].default_value = 1.0
    principled.inputs["Specular IOR Level"].default_value = 0.0
    texture = _picture_node(spec, nodes, entry.width / (high[1] - low[1]))
    links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    wall.data.materials.append(material)


def _add_floor(spec: SceneSpec) -> None:
    """A lit floor from behind the camera to the wall, or towards the horizon where there is no wall."""
    entry, floor = spec.background, spec.background.floor
    is_open = entry.kind == "environment"
    half = OPEN_FLOOR_SIZE if is_open else max(entry.width / 2, -FLOOR_START)
    start, end = (-OPEN_FLOOR_SIZE, OPEN_FLOOR_SIZE) if is_open else (FLOOR_START, entry.depth)
    corners = [(-half, start), (half, start), (half, end), (-half, end)]
    plane = _add_quad("floor", [(x, y, floor.height) for x, y in corners])
    material = textured_material(
        "floor", floor.texture, units_per_repeat=floor.units_per_repeat, roughness=floor.roughness
    )
    plane.data.materials.append(material)


def _add_quad(name: str, corners: list[tuple[float, float, float]]) -> bpy.types.Object:
    """A rectangle in world coordinates with a picture's coordinates: its corners run counter-clockwise from (0, 0)."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="picture")
    for loop, uv in zip(layer.data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = uv
    quad = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(quad)
    quad.pass_index = 0
    return quad


def _picture_node(spec: SceneSpec, nodes: bpy.types.Nodes, aspect: float) -> bpy.types.ShaderNodeTexImage:
    """The background's picture, cropped to the shape of what it is on."""
    width = int(spec.render.width * BACKGROUND_TEXELS_PER_PIXEL)
    picture = crop_to_aspect(load_image(spec.background.image, width, round(width / aspect)), aspect)
    texture = nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = as_blender_image(picture, "background"), "EXTEND"
    return texture
