"""The only file that imports bpy and BlenderProc: a SceneSpec becomes frames with instance ids.

BlenderProc loads models, makes materials and poses the camera; Cycles renders RGB and the Object Index pass together,
so that ids cost almost nothing and are exact. One Blender state lives in a process: call this from a child process.
"""

from __future__ import annotations

import os
import site
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
import cv2


def _import_blenderproc() -> types.ModuleType:
    """Import BlenderProc beside bpy from PyPI.

    BlenderProc 2.8 refuses to load outside its own launcher, drops site-packages from sys.path and looks for a
    Blender installation to put packages into; a stand-in for its set-up module and a restored path prevent all three.
    """
    os.environ["INSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT"] = "1"
    stand_in = types.ModuleType("blenderproc.python.utility.SetupUtility")

    class SetupUtility:
        @staticmethod
        def setup(*_arguments: object, **_options: object) -> list[str]:
            return sys.argv

        @staticmethod
        def setup_utility_paths(*_arguments: object, **_options: object) -> None:
            return None

    stand_in.SetupUtility = SetupUtility
    sys.modules["blenderproc.python.utility.SetupUtility"] = stand_in
    kept_path = list(sys.path)
    sys.path[:0] = [entry for entry in sys.path if entry.endswith("site-packages")] or site.getsitepackages()
    try:
        import blenderproc
    finally:
        sys.path[:] = kept_path
    return blenderproc


import bpy  # noqa: E402

bproc = _import_blenderproc()

from mathutils import Matrix  # noqa: E402

from .assets import load_image  # noqa: E402
from .checks import RejectedScene  # noqa: E402
from .scene import AssetReference, ObjectSpec, RenderSettings, SceneSpec  # noqa: E402
from .shapes import Shape, build_shape  # noqa: E402
from .trajectory import evaluate_path, look_at_poses  # noqa: E402

TEXTURE_SIDE = 512
BACKGROUND_TEXELS_PER_PIXEL = 1.6


def reset_blender() -> None:
    """Back to an empty factory scene with a camera; nothing of an earlier clip survives."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bproc.clean_up(clean_up_camera=True)


def measure_model(path: str) -> dict:
    """Load a model once and measure it.

    Returns {"faces": int, "textured": bool} or {"reason": str} when it cannot be used.
    """
    reset_blender()
    try:
        model = _load_model_file(path)
    except RejectedScene as error:
        return {"reason": error.detail}
    return {"faces": len(model.data.polygons), "textured": _has_own_appearance(model)}


def render_frames(spec: SceneSpec) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render a clip frame by frame.

    Yields (rgb uint8 (H, W, 3), ids uint8 (H, W)): the id of an object is its instance_id, the background is 0. Ids are
    taken at the pixel centre and are the same for any number of samples. Raises RejectedScene for an unusable model.
    """
    reset_blender()
    configure_render(spec.render, spec.render_seed)
    models = [_add_object(entry) for entry in spec.objects]
    paths = [
        [evaluate_path(np.array(points), spec.num_frames) for points in (entry.location, entry.rotation, entry.scale)]
        for entry in spec.objects
    ]
    _add_background(spec)
    _add_lights(spec)
    _add_camera(spec)
    with tempfile.TemporaryDirectory(prefix="vosforge-frames-", dir=_scratch_folder()) as folder:
        read_frame = _read_second_pass if spec.render.two_pass_masks else _connect_index_output(Path(folder))
        for frame in range(spec.num_frames):
            for model, (location, rotation, scale) in zip(models, paths, strict=True):
                model.location, model.rotation_euler, model.scale = location[frame], rotation[frame], scale[frame]
            bpy.context.scene.frame_set(frame)
            yield read_frame(Path(folder), frame)


def camera_metadata(spec: SceneSpec) -> dict:
    """Intrinsics (3, 3) in pixels and camera-to-world poses (F, 4, 4) of a rendered clip, as lists."""
    locations = evaluate_path(np.array(spec.camera.location), spec.num_frames)
    targets = evaluate_path(np.array(spec.camera.look_at), spec.num_frames)
    return {
        "intrinsics": np.round(bproc.camera.get_intrinsics_as_K_matrix(), 6).tolist(),
        "poses": np.round(look_at_poses(locations, targets), 9).tolist(),
    }


def device_in_use() -> str:
    """What renders: `cpu`, or the compute API and the names of its devices."""
    if bpy.context.scene.cycles.device == "CPU":
        return "cpu"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    names = sorted(device.name for device in preferences.devices if device.use)
    return f"{preferences.compute_device_type.lower()}: {', '.join(names)}"


def configure_render(settings: RenderSettings, seed: int) -> None:
    """Set Cycles, the denoiser, bounces, threads and colour management from plain settings."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = settings.width, settings.height
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", settings.threads
    scene.render.use_persistent_data = settings.persistent_data
    scene.render.dither_intensity = 0.0
    scene.render.film_transparent = False
    scene.view_settings.view_transform = settings.view_transform
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.image_settings.compression = 0
    cycles = scene.cycles
    cycles.seed = seed
    cycles.use_animated_seed = True
    cycles.samples = settings.samples
    cycles.use_adaptive_sampling = settings.adaptive_threshold > 0
    cycles.adaptive_threshold = settings.adaptive_threshold
    cycles.use_light_tree = settings.light_tree
    cycles.max_bounces = settings.max_bounces
    cycles.diffuse_bounces = settings.max_bounces
    cycles.min_light_bounces = 1
    cycles.glossy_bounces = settings.glossy_bounces
    cycles.transmission_bounces = settings.transmission_bounces
    cycles.volume_bounces = 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.use_denoising = settings.denoise
    if settings.denoise:
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
        cycles.denoising_quality = settings.denoise_quality
        cycles.denoising_prefilter = settings.denoise_prefilter
        cycles.denoising_use_gpu = False
    _choose_device(settings.device)


def _choose_device(wanted: str) -> None:
    """OptiX, then CUDA, then the CPU for `auto`; a named device that is missing is an error."""
    scene = bpy.context.scene
    scene.cycles.device = "CPU"
    if wanted == "cpu":
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for api in ("OPTIX", "CUDA") if wanted == "auto" else (wanted.upper(),):
        try:
            preferences.compute_device_type = api
        except TypeError:
            continue
        preferences.get_devices_for_type(api)
        matching = [device for device in preferences.devices if device.type == api]
        if matching:
            for device in preferences.devices:
                device.use = device in matching
            scene.cycles.device = "GPU"
            return
    preferences.compute_device_type = "NONE"
    if wanted != "auto":
        raise ValueError(f"device {wanted!r}: Cycles finds no such device here; use --device cpu or auto")


def _scratch_folder() -> str | None:
    """A RAM disk for frames on their way to the encoder, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _connect_index_output(folder: Path):
    """Store the Object Index pass beside the picture of the same render; returns the reader of one frame."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    layer.use_pass_object_index = True
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    composite = tree.nodes.new("CompositorNodeComposite")
    output = tree.nodes.new("CompositorNodeOutputFile")
    output.base_path = str(folder)
    output.format.file_format = "OPEN_EXR"
    output.format.color_mode = "RGB"
    output.format.color_depth = "32"
    output.format.exr_codec = "NONE"
    output.file_slots[0].path = "index"
    tree.links.new(layers.outputs["Image"], composite.inputs["Image"])
    tree.links.new(layers.outputs["IndexOB"], output.inputs[0])

    def read(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
        rgb = _render_picture(folder / "rgb.png")
        index_path = folder / f"index{frame:04d}.exr"
        index = cv2.imread(str(index_path), cv2.IMREAD_UNCHANGED)
        index_path.unlink()
        index = index[..., 0] if index.ndim == 3 else index
        ids = np.rint(index).astype(np.uint8)
        if not np.array_equal(ids, index):
            raise RuntimeError(f"frame {frame}: the Object Index pass holds values that are not ids")
        return rgb, ids

    return read


def _render_picture(path: Path) -> np.ndarray:
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    path.unlink()
    return rgb


def _read_second_pass(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB, then ids from a second one-sample render with every material replaced by flat emission.

    This is how the published renderer makes its masks; it is here to be measured against.
    """
    rgb = _render_picture(folder / "rgb.png")
    scene = bpy.context.scene
    kept = {"samples": scene.cycles.samples, "use_denoising": scene.cycles.use_denoising}
    kept_filter, kept_transform = scene.cycles.filter_width, scene.view_settings.view_transform
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.filter_width = 1, False, 0.01
    scene.view_settings.view_transform = "Raw"
    kept_slots, flat_materials = [], []
    for model in bpy.data.objects:
        if model.type != "MESH":
            continue
        flat = bpy.data.materials.new(f"flat-{model.pass_index}")
        flat.use_nodes = True
        flat.node_tree.nodes.clear()
        emission = flat.node_tree.nodes.new("ShaderNodeEmission")
        emission.inputs["Color"].default_value = (model.pass_index / 255.0,) * 3 + (1.0,)
        surface = flat.node_tree.nodes.new("ShaderNodeOutputMaterial")
        flat.node_tree.links.new(emission.outputs[0], surface.inputs["Surface"])
        flat_materials.append(flat)
        for slot in model.material_slots:
            kept_slots.append((slot, slot.material))
            slot.material = flat
    ids = _render_picture(folder / "ids.png")[..., 0]
    for slot, material in kept_slots:
        slot.material = material
    for flat in flat_materials:
        bpy.data.materials.remove(flat)
    for name, value in kept.items():
        setattr(scene.cycles, name, value)
    scene.cycles.filter_width, scene.view_settings.view_transform = kept_filter, kept_transform
    return rgb, ids


def _add_camera(spec: SceneSpec) -> None:
    settings = spec.render
    camera = bpy.context.scene.camera.data
    camera.sensor_fit = "AUTO"
    bproc.camera.set_intrinsics_from_blender_params(
        lens=spec.camera.fov_radians,
        lens_unit="FOV",
        image_width=settings.width,
        image_height=settings.height,
        clip_start=0.1,
        clip_end=1000.0,
    )
    locations = evaluate_path(np.array(spec.camera.location), spec.num_frames)
    targets = evaluate_path(np.array(spec.camera.look_at), spec.num_frames)
    for frame, pose in enumerate(look_at_poses(locations, targets)):
        bproc.camera.add_camera_pose(pose, frame=frame)


def _add_lights(spec: SceneSpec) -> None:
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


def _add_background(spec: SceneSpec) -> None:
    """An emissive plane behind the objects, facing the camera, its picture cropped to the plane's shape."""
    entry = spec.background
    plane = bproc.object.create_primitive("PLANE", size=1.0, location=[0.0, entry.depth, 0.0])
    plane.set_rotation_euler([np.pi / 2, 0.0, 0.0])
    plane.set_scale([entry.width, entry.height, 1.0])
    width = int(spec.render.width * BACKGROUND_TEXELS_PER_PIXEL)
    picture = load_image(entry.image, width, round(width * entry.height / entry.width))
    picture = _crop_to_aspect(picture, entry.width / entry.height)
    material = bproc.material.create("background")
    image = _as_blender_image(picture, "background")
    material.make_emissive(entry.emission_strength, replace=True, emission_color=[1.0, 1.0, 1.0, 1.0])
    nodes, links = material.blender_obj.node_tree.nodes, material.blender_obj.node_tree.links
    texture = nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = image, "EXTEND"
    links.new(texture.outputs["Color"], next(n for n in nodes if n.type == "EMISSION").inputs["Color"])
    material.blender_obj.cycles.emission_sampling = "NONE"
    plane.replace_materials(material)
    plane.blender_obj.pass_index = 0


def _crop_to_aspect(picture: np.ndarray, aspect: float) -> np.ndarray:
    """The largest centred part of a picture with the given width / height."""
    height, width = picture.shape[:2]
    crop_width, crop_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return picture[top : top + crop_height, left : left + crop_width]


def _as_blender_image(picture: np.ndarray, name: str) -> bpy.types.Image:
    """A packed sRGB image from uint8 (H, W, 3); Blender's rows run upwards."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width=width, height=height, alpha=False)
    pixels = np.ones((height, width, 4), dtype=np.float32)
    pixels[..., :3] = picture[::-1].astype(np.float32) / 255.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    return image


def _add_object(entry: ObjectSpec) -> bpy.types.Object:
    model = _load_model_file(entry.model.path) if entry.model.path else _build_procedural(entry.model)
    if entry.texture is not None:
        _replace_texture(model, entry)
    elif not model.data.materials:
        model.data.materials.append(bproc.material.create("plain").blender_obj)
    model.pass_index = entry.instance_id
    model.rotation_mode = "XYZ"
    return model


def _replace_texture(model: bpy.types.Object, entry: ObjectSpec) -> None:
    """Clear the model's materials and wrap it in one texture by box projection, which needs no UV map."""
    material = bproc.material.create(f"texture-{entry.instance_id}")
    picture = load_image(entry.texture, TEXTURE_SIDE, TEXTURE_SIDE)
    longest = max(picture.shape[:2])
    if longest > 2 * TEXTURE_SIDE:
        scale = 2 * TEXTURE_SIDE / longest
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    nodes, links = material.blender_obj.node_tree.nodes, material.blender_obj.node_tree.links
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = _as_blender_image(picture, f"texture-{entry.instance_id}")
    texture.projection, texture.projection_blend = "BOX", 0.2
    # Texture files are made to tile; procedural ones are not, and mirroring hides their edges.
    texture.extension = "REPEAT" if entry.texture.path else "MIRROR"
    coordinates, mapping = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (entry.texture_repeats,) * 3
    links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    principled.inputs["Roughness"].default_value = entry.roughness
    model.data.materials.clear()
    model.data.materials.append(material.blender_obj)
    for polygon in model.data.polygons:
        polygon.material_index = 0


def _load_model_file(path: str) -> bpy.types.Object:
    """Import a model as one object: all its parts joined, at rest, centred, with a bounding box diagonal of 1.

    Raises RejectedScene when the file holds no usable surface.
    """
    try:
        imported = [entry.blender_obj for entry in bproc.loader.load_obj(path)]
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, OSError, UnicodeError) as error:
        raise RejectedScene("broken model", f"{path} cannot be loaded: {str(error).strip() or repr(error)}") from error
    parts = [entry for entry in imported if entry.type == "MESH"]
    if not parts:
        raise RejectedScene("broken model", f"{path} holds no mesh")
    bpy.context.view_layer.update()
    placed = []
    for part in parts:
        mesh = part.data.copy()
        mesh.transform(part.matrix_world)
        if part.matrix_world.determinant() < 0:
            mesh.flip_normals()
        placed.append(mesh)
    for entry in imported:
        bpy.data.objects.remove(entry, do_unlink=True)
    joined = []
    for mesh in placed:
        instance = bpy.data.objects.new("model", mesh)
        bpy.context.scene.collection.objects.link(instance)
        joined.append(instance)
    model = _join(joined)
    _normalise(model, path)
    return model


def _join(objects: list[bpy.types.Object]) -> bpy.types.Object:
    bpy.ops.object.select_all(action="DESELECT")
    for entry in objects:
        entry.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]
    if len(objects) > 1:
        bpy.ops.object.join()
    objects[0].select_set(False)
    return objects[0]


def _normalise(model: bpy.types.Object, path: str) -> None:
    """Centre the bounding box at the origin with diagonal 1 (ShapeNet's normalisation)."""
    vertices = np.empty(len(model.data.vertices) * 3)
    model.data.vertices.foreach_get("co", vertices)
    vertices = vertices.reshape(-1, 3)
    if not len(model.data.polygons):
        raise RejectedScene("broken model", f"{path} has no faces")
    if not np.isfinite(vertices).all():
        raise RejectedScene("broken model", f"{path} has vertices that are not finite numbers")
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    diagonal = float(np.linalg.norm(high - low))
    areas = np.empty(len(model.data.polygons))
    model.data.polygons.foreach_get("area", areas)
    if diagonal <= 0 or areas.sum() <= 1e-8 * diagonal**2:
        raise RejectedScene("broken model", f"{path} has no surface: its faces have no area")
    centre = Matrix.Translation(-(low + high) / 2)
    model.data.transform(Matrix.Scale(1.0 / diagonal, 4) @ centre)


def _has_own_appearance(model: bpy.types.Object) -> bool:
    """Whether a model brings an image, vertex colours or several materials."""
    materials = [material for material in model.data.materials if material is not None and material.use_nodes]
    has_image = any(node.type == "TEX_IMAGE" and node.image for m in materials for node in m.node_tree.nodes)
    return has_image or len(model.data.color_attributes) > 0 or len(materials) > 1


def _build_procedural(reference: AssetReference) -> bpy.types.Object:
    """Make an object of a procedural family, with its modifiers applied."""
    shape = build_shape(reference.family, np.random.default_rng(np.random.SeedSequence(reference.seed)))
    if shape.primitive == "monkey":
        model = bproc.object.create_primitive("MONKEY").blender_obj
    else:
        mesh = bpy.data.meshes.new(reference.family)
        mesh.from_pydata(shape.vertices.tolist(), [], [tuple(int(v) for v in face) for face in shape.faces])
        mesh.update()
        model = bpy.data.objects.new(reference.family, mesh)
        bpy.context.scene.collection.objects.link(model)
    _apply_modifiers(model, shape)
    model.data.materials.clear()
    if shape.smooth:
        model.data.shade_smooth()
        model.data.set_sharp_from_angle(angle=np.radians(shape.crease_angle_degrees))
    _normalise(model, reference.name)
    return model


def _apply_modifiers(model: bpy.types.Object, shape: Shape) -> None:
    for entry in shape.modifiers:
        modifier = model.modifiers.new(entry.type, entry.type)
        for name, value in entry.settings.items():
            setattr(modifier, name, value)
    if shape.modifiers:
        graph = bpy.context.evaluated_depsgraph_get()
        mesh = bpy.data.meshes.new_from_object(model.evaluated_get(graph), depsgraph=graph)
        model.modifiers.clear()
        model.data = mesh
