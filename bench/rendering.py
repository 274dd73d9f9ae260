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
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from vosforge.datagen.images import decode_jpeg, encode_jpeg, encode_palette_png
from vosforge.render.assets import Asset, AssetPool
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import BL30K, sample_scene
from vosforge.render.scene import RenderSettings, SceneSpec

PUBLISHED = {
    "samples": 64,
    "denoise_quality": "HIGH",
    "denoise_prefilter": "ACCURATE",
    "persistent_data": False,
    "two_pass_masks": True,
}
REFERENCE = {"denoise": False}
NUM_SCENES = 5
DENSE_FACES = 300_000


def main() -> None:
    """Render every scene in both ways and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="384x256")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--reference-samples", type=int, default=1024)
    parser.add_argument("--no-light-tree", action="store_true")
    arguments = parser.parse_args()
    # Blender writes its progress to file descriptor 1; the table keeps a copy of it.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    width, height = map(int, arguments.size.split("x"))
    ours = dataclasses.replace(BL30K.render, width=width, height=height, threads=1, device="cpu")
    published = dataclasses.replace(ours, light_tree=not arguments.no_light_tree, **PUBLISHED)
    reference = dataclasses.replace(ours, samples=arguments.reference_samples, **REFERENCE)
    print(f"{width}x{height}, {arguments.frames} frames a scene, {NUM_SCENES} procedural scenes and one dense scene")
    print(f"{'scene':>12} {'published':>12} {'ours':>12} {'frames/s':>9} {'PSNR dB':>17} {'difference':>10}")
    speed_ratios, differences, masks_agree = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in _scenes(ours, Path(folder)):
            seconds_published, psnr_frames_published, ids_published = _render(spec, published, arguments.frames)
            seconds_ours, psnr_frames_ours, ids_ours = _render(spec, ours, arguments.frames)
            _, reference_frames, _ = _render(spec, reference, 1, encode=False)
            psnrs = [_psnr(frames[0], reference_frames[0]) for frames in (psnr_frames_published, psnr_frames_ours)]
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


def _scenes(settings: RenderSettings, folder: Path) -> list[tuple[str, SceneSpec]]:
    """Five scenes of the default recipe, and one whose three objects have 300,000 faces together."""
    recipe = dataclasses.replace(BL30K, render=settings)
    scenes = [(f"bl30k-{index}", _first_accepted(recipe, AssetPool(), index)) for index in range(NUM_SCENES)]
    dense = Asset(name="dense", kind="model", path=str(_write_dense_model(folder / "dense.obj")), sha256="")
    scenes.append(
        ("300k faces", _first_accepted(dataclasses.replace(recipe, objects=(3, 3)), AssetPool(assets=(dense,)), 5))
    )
    return scenes


def _first_accepted(recipe: object, pool: AssetPool, index: int) -> SceneSpec:
    for attempt in range(50):
        try:
            return sample_scene(ClipRandomness(seed=2021, index=index, attempt=attempt), pool, recipe)
        except RejectedScene:
            continue
    raise RuntimeError(f"scene {index} was rejected 50 times")


def _write_dense_model(path: Path) -> Path:
    """A bumpy sphere of 100,000 faces; the scene holds three of them."""
    rows, columns = 200, DENSE_FACES // 3 // 200
    latitude = np.linspace(0.02, np.pi - 0.02, rows + 1)[:, None]
    longitude = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    radius = 1 + 0.08 * np.sin(9 * latitude) * np.cos(11 * longitude)
    points = np.stack(
        [
            radius * np.sin(latitude) * np.cos(longitude),
            radius * np.sin(latitude) * np.sin(longitude),
            radius * np.cos(latitude) + 0 * longitude,
        ],
        axis=-1,
    ).reshape(-1, 3)
    with open(path, "w") as output:
        output.writelines(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in points)
        for row in range(rows):
            for column in range(columns):
                after = (column + 1) % columns
                corners = (row * columns + column, (row + 1) * columns + column)
                others = ((row + 1) * columns + after, row * columns + after)
                output.write("f " + " ".join(str(corner + 1) for corner in (*corners, *others)) + "\n")
    return path


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


def _psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    error = np.mean((picture.astype(np.float64) - reference) ** 2)
    return float(10 * np.log10(255.0**2 / error))


if __name__ == "__main__":
    main()
