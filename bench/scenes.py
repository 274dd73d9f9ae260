"""What the rendering benchmarks share: the scenes they render, and how pictures are compared."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
from vosforge.render.assets.pool import Asset, AssetPool
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import BL30K, sample_scene
from vosforge.render.scene import RenderSettings, SceneSpec

NUM_SCENES = 5
DENSE_FACES = 300_000


def keep_stdout_to_ourselves() -> None:
    """Blender writes its progress to file descriptor 1; the table keeps a copy of it."""
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def benchmark_scenes(
    settings: RenderSettings, folder: Path, num_frames: int = BL30K.num_frames
) -> list[tuple[str, SceneSpec]]:
    """Five scenes of the default recipe, and one whose three objects have 300,000 faces together."""
    recipe = dataclasses.replace(BL30K, render=settings, num_frames=num_frames)
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


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of uint8 pictures."""
    error = np.mean((picture.astype(np.float64) - reference) ** 2)
    return float(10 * np.log10(255.0**2 / error))
