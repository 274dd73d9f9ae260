"""Where networks run."""

import torch

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
