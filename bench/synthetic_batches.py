"""Batches of noise for any stage: the cost of a step does not depend on the pixels."""

from typing import Any

import torch
from vosforge.train.stage import Stage

NUM_OBJECTS = 2


def synthetic_batch(stage: Stage, batch_size: int) -> dict[str, Any]:
    """Return a batch of the stage's kind of data, at its crop size."""
    side = stage.crop_size
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.rand(batch_size, *shape, side, side, generator=generator)

    def labels(largest: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, largest + 1, (batch_size, *shape, side, side), generator=generator)

    batch: dict[str, Any] = {"number": torch.arange(batch_size), "key": ["noise"] * batch_size}
    if stage.data == "corrections":
        strokes = {name: (noise() > 0.99).float() for name in ("positive", "negative")}
        return {**batch, "rgb": noise(3), "labels": labels(1), "current_mask": noise(), **strokes}
    batch["selector"] = torch.ones(batch_size, NUM_OBJECTS)
    if stage.data == "fusion":
        frames = {"rgb": noise(3), "rgb_interaction": noise(3)}
        truth = {"labels": labels(NUM_OBJECTS), "labels_interaction": labels(NUM_OBJECTS)}
        masks = {name: noise(NUM_OBJECTS) for name in ("previous", "new", "previous_there")}
        return {**batch, **frames, **truth, **masks, "distances": torch.tensor([[0.3, 0.7]] * batch_size)}
    return {**batch, "rgb": noise(3, 3), "labels": labels(NUM_OBJECTS, 3)}
