"""Rendering speed beside BlenderProc's own renderer, on the same scenes in one run, printed as ratios.

Both sides render the very same scene (objects, materials, lights, camera, bounces) at the same number of samples and
end with stored JPEGs and palette PNGs. BlenderProc's side is `bproc.renderer.render()` as its users call it: its
default denoiser (Intel Open Image Denoise in the compositor), `enable_segmentation_output`, one call for all frames.
PSNR is that of the stored JPEG of the first frame to a 1024-sample render without denoiser. Time is process CPU time,
one thread; the scene's set-up is not counted on either side.

    python bench/blenderproc_renderer.py [--size 384x256] [--frames 4] [--reference-samples 1024]
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from scenes import benchmark_scenes, keep_stdout_to_ourselves, psnr
from vosforge.datagen.imaging.images import decode_jpeg, encode_jpeg, encode_palette_png
from vosforge.render.recipes import BL30K
from vosforge.render.scene import RenderSettings, SceneSpec


def main() -> None:
    """Render every scene in both ways and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="384x256")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--reference-samples", type=int, default=1024)
    arguments = parser.parse_args()
    keep_stdout_to_ourselves()
    width, height = map(int, arguments.size.split("x"))
    settings = dataclasses.replace(BL30K.render, width=width, height=height, threads=1, device="cpu")
    print(f"{width}x{height}, {arguments.frames} frames a scene, {settings.samples} samples on both sides")
    print(f"{'scene':>12} {'BlenderProc':>12} {'ours':>12} {'frames/s':>9} {'PSNR dB':>17} {'difference':>10}")
    ratios, differences, agreement = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in benchmark_scenes(settings, Path(folder)):
            theirs = _render_with_blenderproc(spec, arguments.frames)
            ours = _render_ours(spec, settings, arguments.frames)
            reference = _reference(spec, arguments.reference_samples)
            decibels = [psnr(side.picture, reference) for side in (theirs, ours)]
            ratios.append(theirs.seconds / ours.seconds)
            differences.append(decibels[1] - decibels[0])
            agreement.append(np.mean((theirs.ids > 0) == (ours.ids > 0)))
            print(
                f"{name:>12} {theirs.seconds:>8.2f} s/f {ours.seconds:>8.2f} s/f {ratios[-1]:>8.2f}x"
                f" {decibels[0]:>7.2f} / {decibels[1]:>7.2f} {differences[-1]:>+10.2f}",
                flush=True,
            )
    print(
        f"mean: {np.mean(ratios):.2f}x the frames/s (smallest {min(ratios):.2f}x), PSNR {np.mean(differences):+.2f} dB "
        f"(worst {min(differences):+.2f} dB), objects agree on {np.mean(agreement):.4%} of the pixels"
    )


@dataclasses.dataclass(frozen=True)
class Side:
    """What one side took and made: CPU seconds a frame, and the stored picture and ids of the first frame."""

    seconds: float
    picture: np.ndarray
    ids: np.ndarray


def _stored(rgb: np.ndarray, ids: np.ndarray) -> np.ndarray:
    encode_palette_png(ids)
    return decode_jpeg(encode_jpeg(rgb, quality=95))


def _render_with_blenderproc(spec: SceneSpec, num_frames: int) -> Side:
    """Let BlenderProc render frames 1 to `num_frames`; frame 0 is left out, as it warms up the other side."""
    import bpy
    from vosforge.render.blender.frames import build_scene
    from vosforge.render.blender.session import bproc

    from blenderproc.python.renderer import RendererUtility  # isort: skip

    built = build_scene(spec)
    scene = bpy.context.scene
    RendererUtility.render_init()
    scene.cycles.use_denoising = False
    scene.use_nodes = True
    bproc.renderer.set_denoiser("INTEL")
    bproc.renderer.set_max_amount_of_samples(spec.render.samples)
    bproc.renderer.set_noise_threshold(0)
    bproc.renderer.set_output_format("PNG", 8)
    for model in bpy.data.objects:
        if model.type == "MESH":
            model["category_id"] = model.pass_index
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        bproc.renderer.enable_segmentation_output(map_by=["instance", "category_id"])
    scene.frame_start, scene.frame_end = 1, 1 + num_frames
    built.show(1)
    start = time.process_time()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        data = bproc.renderer.render()
    stored = [
        _stored(np.asarray(rgb[..., :3], np.uint8), np.asarray(ids, np.uint8))
        for rgb, ids in zip(data["colors"], data["category_id_segmaps"], strict=True)
    ]
    seconds = (time.process_time() - start) / num_frames
    return Side(seconds, stored[0], np.asarray(data["category_id_segmaps"][0]))


def _render_ours(spec: SceneSpec, settings: RenderSettings, num_frames: int) -> Side:
    """Our frames 1 to `num_frames`; frame 0 warms up and is not counted."""
    from vosforge.render.blender.frames import build_scene, render_built

    frames = render_built(build_scene(dataclasses.replace(spec, render=settings)))
    next(frames)
    start = time.process_time()
    pictures, labels = [], []
    for _ in range(num_frames):
        rgb, ids = next(frames)
        pictures.append(_stored(rgb, ids))
        labels.append(ids)
    seconds = (time.process_time() - start) / num_frames
    frames.close()
    return Side(seconds, pictures[0], labels[0])


def _reference(spec: SceneSpec, samples: int) -> np.ndarray:
    from vosforge.render.blender.frames import build_scene, render_built

    settings = dataclasses.replace(spec.render, samples=samples, denoise=False)
    frames = render_built(build_scene(dataclasses.replace(spec, render=settings)))
    next(frames)
    picture, _ = next(frames)
    frames.close()
    return picture


if __name__ == "__main__":
    main()
