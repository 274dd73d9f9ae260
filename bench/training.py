"""Training speed of the small propagation network: what channels-last and bfloat16 are worth here, as ratios.

Run: python bench/training.py [--threads 2] [--crop-size 192] [--repeats 5]
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from vosforge.models.propagation import train_batch_norm
from vosforge.train.loop import make_optimiser
from vosforge.train.stages.propagation import PROPAGATION_RENDERED_MINI as STAGE


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure; the median of the repeats counts."""

    threads: int = 2
    crop_size: int = 192
    batch_size: int = 4
    repeats: int = 5
    size: str = "small"


def random_batch(batch_size: int, side: int) -> dict[str, torch.Tensor]:
    """A batch of noise with two objects; the cost of a step does not depend on the pixels."""
    labels = torch.randint(0, 3, (batch_size, 3, side, side))
    return {
        "rgb": torch.rand(batch_size, 3, 3, side, side),
        "labels": labels,
        "selector": torch.ones(batch_size, 2),
    }


def seconds_per_sample(settings: Settings, *, channels_last: bool, bf16: bool) -> float:
    """Median seconds of a whole optimiser step, divided by the batch size."""
    network = STAGE.network.named(settings.size)
    network = network.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    train_batch_norm(network, True)
    optimiser, batch = make_optimiser(network, STAGE), random_batch(settings.batch_size, settings.crop_size)
    times: Sequence[float] = []
    for _ in range(settings.repeats + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            result = STAGE.step(network, batch, np.random.default_rng(0), STAGE.at(0, 1000))
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:])) / settings.batch_size


def main(settings: Settings) -> None:
    """Measure and print."""
    torch.set_num_threads(settings.threads)
    plain = seconds_per_sample(settings, channels_last=False, bf16=False)
    default = seconds_per_sample(settings, channels_last=True, bf16=False)
    bf16 = seconds_per_sample(settings, channels_last=True, bf16=True)
    where = (
        f"{settings.size}, {settings.crop_size}x{settings.crop_size}, 3 frames, 2 objects, {settings.threads} threads"
    )
    print(f"{where}: {default:.3f} s a sample")
    print(f"channels-last against contiguous: {plain / default:.2f}x")
    print(f"bfloat16 against float32: {default / bf16:.2f}x (--precision bf16)")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
