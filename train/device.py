"""Where networks run, and in which format."""

from typing import Literal

import torch

TrainingPrecision = Literal["auto", "fp32", "bf16"]

NAMES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """The device called auto (CUDA where there is one), cpu or cuda.

    ValueError for another name, and when CUDA is asked for and absent.
    """
    if name not in NAMES:
        raise ValueError(f"no device {name!r}; choose one of {', '.join(NAMES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("device 'cuda' is asked for, but torch sees no CUDA device; use --device cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


def autocast_dtype(precision: TrainingPrecision, device: torch.device) -> torch.dtype | None:
    """The format that a forward pass in training is cast to, None for none; auto is bf16 on CUDA and fp32 elsewhere."""
    is_bf16 = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.bfloat16 if is_bf16 else None
