"""What stands around the objects: camera, lights, world and background plane."""

from __future__ import annotations

import bpy
import numpy as np

from ..assets import load_image
from ..camera_path import camera_focal_lengths, camera_intrinsics, camera_poses
from ..scene import SceneSpec
from .pictures import as_blender_image, crop_to_aspect
from .session import bproc

BACKGROUND_TEXELS_PER_PIXEL = 1.6


def add_camera(spec: SceneSpec) -> None:
    """Pose the scene's camera at every frame and set its field of view."""
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
    """Add the point lights and a faint light from the world."""
    for entry in spec.lights:
        light = bproc.types.Light(light_type="POINT")
        light.set_location(entry.location)
        light.set_color(entry.colour)
        light.set_energy(entry.energy_watts)
    world = bpy.context.scene.world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*spec.world_colour, 1.0)
    background.inputs["Strength"].default_value = spec.world_strength


def add_background(spec: SceneSpec) -> None:
    """An emissive plane behind the objects, facing the camera, its picture cropped to the plane's shape."""
    entry = spec.background
    plane = bproc.object.create_primitive("PLANE", size=1.0, location=[0.0, entry.depth, 0.0])
    plane.set_rotation_euler([np.pi / 2, 0.0, 0.0])
    plane.set_scale([entry.width, entry.height, 1.0])
    width = int(spec.render.width * BACKGROUND_TEXELS_PER_PIXEL)
    picture = load_image(entry.image, width, round(width * entry.height / entry.width))
    picture = crop_to_aspect(picture, entry.width / entry.height)
    material = bproc.material.create("background")
    image = as_blender_image(picture, "background")
    material.make_emissive(entry.emission_strength, replace=True, emission_color=[1.0, 1.0, 1.0, 1.0])
    nodes, links = material.blender_obj.node_tree.nodes, material.blender_obj.node_tree.links
    texture = nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = image, "EXTEND"
    links.new(texture.outputs["Color"], next(n for n in nodes if n.type == "EMISSION").inputs["Color"])
    material.blender_obj.cycles.emission_sampling = "NONE"
    plane.replace_materials(material)
    plane.blender_obj.pass_index = 0
