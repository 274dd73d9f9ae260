"""The lens and the shutter: depth of field and motion blur, and how to render without them.

Ground truth is rendered apart from a blurred picture: a pixel of an index, depth or flow pass has one value, and blur
would mix several (measured: 0.94 mean IoU of ids under motion blur). It is taken at the centre of the shutter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import bpy
import numpy as np

from ..camera_path import camera_poses
from ..scene import SceneSpec

NEAREST_FOCUS = 0.2
BRIGHTEST_SAMPLE = 6.0
"""Under depth of field a tiny lamp becomes a disc that only a few of a pixel's samples meet: unclamped, it is grain."""


def needs_sharp_pass(spec: SceneSpec) -> bool:
    """Whether ground truth must be rendered apart from the picture: under blur, depth of field or another engine."""
    return spec.camera.shutter_frames > 0 or spec.camera.lens is not None or spec.render.engine != "cycles"


def add_lens(spec: SceneSpec, matrices: Sequence[np.ndarray]) -> None:
    """Give the scene's camera its depth of field and its shutter.

    matrices: of each object of `spec.objects`, model to world, float (F, 4, 4); models are centred, so the translation
    is the point in focus. Focus follows it frame by frame. Call it after `add_camera`. Raises ValueError when the
    object in focus is not part of the scene.
    """
    scene = bpy.context.scene
    if spec.camera.shutter_frames > 0 or spec.camera.lens is not None:
        # The guides of blurred pixels are noisy, and a denoiser that takes them for clean keeps their noise. ACCURATE
        # would cost what is in focus a quarter of its detail at 16 samples, FAST a tenth (measured).
        scene.cycles.denoising_prefilter = "FAST"
    scene.render.use_motion_blur = spec.camera.shutter_frames > 0
    scene.render.motion_blur_position = "CENTER"
    if spec.camera.shutter_frames > 0:
        scene.render.motion_blur_shutter = spec.camera.shutter_frames
    lens = spec.camera.lens
    field_of_depth = scene.camera.data.dof
    field_of_depth.use_dof = lens is not None
    if lens is None:
        return
    ids = [entry.instance_id for entry in spec.objects]
    if lens.focus_id not in ids:
        raise ValueError(f"lens.focus_id is {lens.focus_id}, which is no object of the scene; choose one of {ids}")
    field_of_depth.aperture_fstop = lens.f_stop
    scene.cycles.sample_clamp_direct = BRIGHTEST_SAMPLE
    centres = np.asarray(matrices[ids.index(lens.focus_id)], np.float64)[:, :3, 3]
    poses = camera_poses(spec.camera, spec.num_frames)
    distances = -np.einsum("fi,fi->f", centres - poses[:, :3, 3], poses[:, :3, 2])
    for frame, distance in enumerate(distances):
        field_of_depth.focus_distance = max(float(distance), NEAREST_FOCUS)
        field_of_depth.keyframe_insert("focus_distance", frame=frame)


@contextlib.contextmanager
def sharp() -> Iterator[None]:
    """Inside, the scene renders with Cycles, without motion blur and depth of field; afterwards as before."""
    scene = bpy.context.scene
    owners = ((scene.render, "use_motion_blur", False), (scene.camera.data.dof, "use_dof", False))
    with contextlib.ExitStack() as put_back:
        for owner, name, value in (*owners, (scene.render, "engine", "CYCLES")):
            put_back.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield
