"""Where bfloat16 is too coarse: at least single precision, without rounding a double."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
