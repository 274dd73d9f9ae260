"""Pretraining samples from stills: three frames of 384x384 a sample, ours against the published generator, one core.

Both read the same stills from files and apply the published ranges: affine warps, bicubic pictures, jitter with hue,
and thin-plate splines at p=0.33. The peer is the plain reference in published_sequences.py. Whether a frame is bent is
what its time depends on most, so both are timed without splines and with one in every frame, and the two times are
weighted 0.67 to 0.33; that is the mean at p=0.33 without the luck of the draw. Turns alternate; a sample, the same in
every turn, counts with the least process CPU time of its turns.

    python bench/compositing.py [--stills DIR] [--samples 12] [--turns 5]

Without --stills, made-up pictures of the sizes that the published sets have: 224x224 (FSS-1000), 400x300 (DUTS, ECSSD)
and 576x384 (HRSOD and BIG at their training size), in the shares in which they are trained on.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import published_sequences
from vosforge.datagen.compositing.sequence import sample_sequence
from vosforge.datagen.compositing.settings import SequenceSettings
from vosforge.datagen.compositing.still_folder import StillFolder

SPLINE_PROBABILITY = 0.33
SIZES = ((224, 224), (400, 300), (400, 300), (576, 384))
"""FSS-1000 10,000, DUTS and ECSSD 16,572, HRSOD and BIG 5 x 2,160 items an epoch."""


def main() -> None:
    """Time both sides in alternating turns and print samples per second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stills", type=Path, help="folder with X.jpg beside X.png")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # read when numpy is imported; both sides get one core
        os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        os.execv(sys.executable, [sys.executable, *sys.argv])
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.stills or make_stills(Path(scratch), arguments.samples)
        ours, peer = time_both(StillFolder(folder), arguments.samples, arguments.turns)
    print(f"published generator  {1 / peer:7.1f} samples/s  {1e3 * peer:7.1f} ms")
    print(f"vosforge             {1 / ours:7.1f} samples/s  {1e3 * ours:7.1f} ms")
    print(f"ratio                {peer / ours:7.1f}")


def time_both(stills: StillFolder, num_samples: int, num_turns: int) -> tuple[float, float]:
    """Return the seconds of a sample, ours and the peer's."""
    means = np.zeros(2)
    for probability, weight in ((0.0, 1 - SPLINE_PROBABILITY), (1.0, SPLINE_PROBABILITY)):
        settings = dataclasses.replace(SequenceSettings(), spline_probability=probability)
        published_sequences.SPLINE_PROBABILITY = probability
        seconds = np.full((2, num_samples), np.inf)
        for _ in range(num_turns):
            for number in range(num_samples):
                still = number % len(stills)
                picture, mask = (stills.root / f"{stills.name(still)}{ending}" for ending in (".jpg", ".png"))
                sides = (
                    lambda rng, still=still, settings=settings: sample_sequence(rng, stills, still, settings),
                    lambda rng, pair=(picture, mask): published_sequences.make_sample(rng, *pair),
                )
                for side, make in enumerate(sides):
                    seconds[side, number] = min(seconds[side, number], cpu_seconds(make, seed=number))
        means += weight * seconds.mean(1)
    return float(means[0]), float(means[1])


def cpu_seconds(make: Callable[[np.random.Generator], object], seed: int) -> float:
    """Return the process CPU time of one sample."""
    rng = np.random.default_rng(seed)
    start = time.process_time()
    make(rng)
    return time.process_time() - start


def make_stills(folder: Path, count: int) -> Path:
    """Write pictures with as much detail as photographs have, each with the mask of an ellipse."""
    rng = np.random.default_rng(0)
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        rgb = np.zeros((height, width, 3), np.float32)
        for step in (4, 16, 64):  # detail falls with its frequency, as in photographs
            noise = rng.normal(0, 10 * step**0.5, (height // step + 2, width // step + 2, 3)).astype(np.float32)
            rgb += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        mask = np.zeros((height, width), np.uint8)
        centre, axes = (width // 2, height // 2), (width // 4, height // 5)
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), np.clip(rgb + 120, 0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / f"{number:03d}.png"), mask)
    return folder


if __name__ == "__main__":
    main()
