"""Batches of the propagation stages that are made up: two squares that move."""

import numpy as np
import torch


def moving_squares(step: int, batch_size: int = 2, side: int = 32) -> dict:
    rng = np.random.default_rng([7, step])
    rgb = rng.uniform(0.3, 0.5, (batch_size, 3, 3, side, side)).astype(np.float32)
    labels = np.zeros((batch_size, 3, side, side), np.int64)
    selector = np.ones((batch_size, 2), np.float32)
    for sample in range(batch_size):
        selector[sample, 1] = 1 - sample % 2
        for number, colour in ((1, (1, 0, 0)), (2, (0, 0, 1)))[: int(selector[sample].sum())]:
            x, y = rng.integers(0, side // 2, 2)
            for frame in range(3):
                rows, columns = slice(y, y + side // 3), slice(x + 2 * frame, x + 2 * frame + side // 3)
                labels[sample, frame, rows, columns] = number
                rgb[sample, frame, :, rows, columns] = np.array(colour, np.float32)[:, None, None]
    labels = torch.from_numpy(labels)
    return {
        "rgb": torch.from_numpy(rgb),
        "labels": labels,
        "selector": torch.from_numpy(selector),
        "key": [f"squares-{step:06d}"] * batch_size,
        "frames": torch.tensor([[0, 1, 2]] * batch_size),
    }
