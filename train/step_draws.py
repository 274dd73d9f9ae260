"""What a step draws for its samples: from the state of its generator and a sample's number, so that no sample depends
on how the batch is divided.
"""

import numpy as np
from torch import Tensor

_NUM_NUMBERS = 1 << 62


def drawn_number(rng: np.random.Generator) -> int:
    """Return a number that seeds, together with its own number, what is drawn for a sample."""
    return int(rng.integers(_NUM_NUMBERS))


def sample_keys(rng: np.random.Generator, numbers: Tensor) -> Tensor:
    """Return one key of dropout a sample, int64 (B,), on the CPU: by the state of rng and the sample's number alone."""
    return numbers.cpu() + drawn_number(rng)
