"""Rendering speed and quality of the default preset beside the published recipe, in one run, printed as ratios.

The published recipe: 64 fixed samples, Open Image Denoise HIGH with ACCURATE prefilter and guides, no persistent data,
ids from a second one-sample pass with emission materials, Blender's default light tree (`--no-light-tree` takes that
away from it, as ours has none); bounces are the same on both sides. Both render the same scenes one after the other, on
one thread, and store JPEGs of quality 95, 4:4:4; PSNR is that of the stored JPEG to a 1024-sample render without
denoiser. Time is process CPU time, so that a busy machine does not change the ratio.

    python bench/rendering.py [--size 384x256] [--frames 4] [--reference-samples 1024] [--no-light-tree]
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
from scenes import NUM_SCENES, benchmark_scenes, keep_stdout_to_ourselves, psnr
from vosforge.datagen.imaging.images import decode_jpeg, encode_jpeg, encode_palette_png
from vosforge.render.recipes import BL30K
from vosforge.render.scene import RenderSettings, SceneSpec

PUBLISHED = {
    "samples": 64,
    "denoise_quality": "HIGH",
    "denoise_prefilter": "ACCURATE",
    "persistent_data": False,
    "two_pass_masks": True,
}
REFERENCE = {"denoise": False}


def main() -> None:
    """Render every scene in both ways and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="384x256")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--reference-samples", type=int, default=1024)
    parser.add_argument("--no-light-tree", action="store_true")
    arguments = parser.parse_args()
    keep_stdout_to_ourselves()
    width, height = map(int, arguments.size.split("x"))
    ours = dataclasses.replace(BL30K.render, width=width, height=height, threads=1, device="cpu")
    published = dataclasses.replace(ours, light_tree=not arguments.no_light_tree, **PUBLISHED)
    reference = dataclasses.replace(ours, samples=arguments.reference_samples, **REFERENCE)
    print(f"{width}x{height}, {arguments.frames} frames a scene, {NUM_SCENES} procedural scenes and one dense scene")
    print(f"{'scene':>12} {'published':>12} {'ours':>12} {'frames/s':>9} {'PSNR dB':>17} {'difference':>10}")
    speed_ratios, differences, masks_agree = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in benchmark_scenes(ours, Path(folder)):
            seconds_published, psnr_frames_published, ids_published = _render(spec, published, arguments.frames)
            seconds_ours, psnr_frames_ours, ids_ours = _render(spec, ours, arguments.frames)
            _, reference_frames, _ = _render(spec, reference, 1, encode=False)
            psnrs = [psnr(frames[0], reference_frames[0]) for frames in (psnr_frames_published, psnr_frames_ours)]
            speed_ratios.append(seconds_published / seconds_ours)
            differences.append(psnrs[1] - psnrs[0])
            masks_agree.append(np.mean(ids_published[0] == ids_ours[0]))
            print(
                f"{name:>12} {seconds_published:>8.2f} s/f {seconds_ours:>8.2f} s/f {speed_ratios[-1]:>8.2f}x"
                f" {psnrs[0]:>7.2f} / {psnrs[1]:>7.2f} {differences[-1]:>+10.2f}",
                flush=True,
            )
    print(
        f"mean: {np.mean(speed_ratios):.2f}x the frames/s (smallest {min(speed_ratios):.2f}x), "
        f"PSNR {np.mean(differences):+.2f} dB (worst {min(differences):+.2f} dB), "
        f"ids equal on {np.mean(masks_agree):.4%} of the pixels"
    )


def _render(
    spec: SceneSpec, settings: RenderSettings, num_frames: int, encode: bool = True
) -> tuple[float, list[np.ndarray], list[np.ndarray]]:
    """CPU seconds per frame, the stored pictures and the ids of the first frames; the set-up is not counted."""
    from vosforge.render.blender.frames import render_frames

    frames = render_frames(dataclasses.replace(spec, render=settings))
    pictures, ids, seconds = [], [], 0.0
    for number in range(num_frames + 1):
        start = time.process_time()
        picture, labels = next(frames)
        if encode:
            picture = decode_jpeg(encode_jpeg(picture, quality=95))
            encode_palette_png(labels)
        if number:
            seconds += time.process_time() - start
        pictures.append(picture)
        ids.append(labels)
        if not encode:
            break
    frames.close()
    return seconds / num_frames, pictures, ids


if __name__ == "__main__":
    main()
