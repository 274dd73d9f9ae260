"""Settings of propagation."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class PropagationSettings:
    """How to propagate.

    memory_every: frames between permanent memory frames (5 as published); the previous frame is always in memory.
    top_k: memory cells read by each query cell (50 as published), None for all. short_side: pixels of the network
    input's shorter side, None for the video's own. max_memory_frames bounds memory and time on long videos (200 is
    1,000 frames at every 5). objects_per_pass bounds the decoder's batch. precision: of the networks; affinities,
    softmax and aggregation stay float32.
    """

    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    device: str = "cpu"
    max_memory_frames: int = 200
    objects_per_pass: int = 8
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise ValueError(f"precision is {self.precision!r}; choose one of {', '.join(get_args(Precision))}")
        for name in ("memory_every", "top_k", "short_side", "objects_per_pass"):
            value = getattr(self, name)
            if value is not None and value < 1:
                wayout = ", or None for all cells" if name == "top_k" else ""
                raise ValueError(f"{name} is {value}; give a positive number{wayout}")

    def autocast(self) -> torch.autocast:
        """The context in which networks run."""
        dtype = getattr(torch, self.precision)
        return torch.autocast(torch.device(self.device).type, dtype, enabled=self.precision != "float32")
