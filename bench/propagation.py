"""Propagation of the full-size network at 480p: frames a second with 1, 2 and 5 objects, on the CPU and on CUDA.

Run: python bench/propagation.py [--device cpu] [--precision float16] [--frames 70]

Noise as frames and random weights: the cost does not depend on them. On CUDA whole sequences of 70 frames, the mean
length of DAVIS, as `propagate` carries them, decoding excluded. On the CPU a few frames with as many frames in memory
as there are half-way through such a sequence. Turns alternate; the fastest of each counts. Published: 11.2 frames/s on
DAVIS 2017, where a sequence has 2 objects on average, on a 2080 Ti.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import tyro
from vosforge.models.aggregate import most_likely
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.train.inference.geometry import FrameGeometry
from vosforge.train.inference.mask_carrier import MaskCarrier
from vosforge.train.inference.propagation import masks_of
from vosforge.train.inference.propagation_settings import Precision, PropagationSettings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is measured. frames: of a sequence; 0 takes 70 on CUDA and 2 on the CPU. given: frames in memory at first;
    0 takes 1 on CUDA and 8 on the CPU.
    """

    size: tuple[int, int] = (480, 854)
    objects: tuple[int, ...] = (1, 2, 5)
    network: Literal["full", "small", "tiny"] = "full"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = "float32"
    frames: int = 0
    given: int = 0
    turns: int = 2
    threads: int = 1


def main(settings: Settings) -> None:
    """Measure and print a table."""
    torch.set_num_threads(settings.threads)
    devices = [settings.device] if settings.device != "auto" else ["cpu", *["cuda"] * torch.cuda.is_available()]
    print(f"network '{settings.network}', frames of {settings.size[1]}x{settings.size[0]}, {settings.precision}")
    print("| device | objects | frames | in memory at first | seconds a frame | frames/s |")
    print("|---|---|---|---|---|---|")
    for device in devices:
        label = torch.cuda.get_device_name() if device == "cuda" else f"CPU, threads: {settings.threads}"
        num_frames = settings.frames or (70 if device == "cuda" else 2)
        num_given = settings.given or (1 if device == "cuda" else 8)
        for num_objects, seconds in fastest_seconds(settings, device, num_frames, num_given).items():
            print(
                f"| {label} | {num_objects} | {num_frames} | {num_given} | {seconds:.4f} | {1 / seconds:.2f} |",
                flush=True,
            )


def fastest_seconds(settings: Settings, device: str, num_frames: int, num_given: int) -> dict[int, float]:
    """Number of objects -> seconds a frame, the least of the turns."""
    torch.manual_seed(0)
    network = PropagationNetwork(SIZES[settings.network]).to(device, memory_format=torch.channels_last).eval()
    propagation = PropagationSettings(device=device, precision=settings.precision)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (*settings.size, 3), np.uint8) for _ in range(min(num_frames, 8))]
    seconds: dict[int, list[float]] = {count: [] for count in settings.objects}
    # On CUDA the first turn of each pays for the choice of algorithms.
    for _ in range(settings.turns + (device == "cuda")):
        for num_objects, times in seconds.items():
            carrier = MaskCarrier(network, FrameGeometry.of(*settings.size, None), propagation)
            masks = masks_of(stripes(settings.size, num_objects), range(1, num_objects + 1))
            encoded = carrier.encode(frames[0], masks)
            carrier.remember([encoded] * num_given)
            times.append(_carry_all(carrier, frames, num_frames, device) / num_frames)
    return {count: min(times) for count, times in seconds.items()}


def stripes(size: tuple[int, int], num_objects: int) -> np.ndarray:
    """Ids of upright stripes, an object each, with background between them."""
    columns = np.arange(size[1]) * (2 * num_objects + 1) // size[1]
    return np.broadcast_to(np.where(columns % 2 == 1, columns // 2 + 1, 0).astype(np.uint8), size).copy()


def _carry_all(carrier: MaskCarrier, frames: Sequence[np.ndarray], num_frames: int, device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for t in range(num_frames):
        # Ids on the host, as a user gets them.
        most_likely(carrier.carry(frames[t % len(frames)]).soft).to(torch.uint8).cpu()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
