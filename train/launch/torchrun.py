"""Training in the processes that torchrun started; it tells each its place by environment variables."""

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist

from ..device import choose_device
from ..distributed import ALONE, RankGroup

PATIENCE = timedelta(hours=2)
"""Other processes wait so long for one another, above all for the first one's validation and checkpoints."""


def started_by_torchrun() -> bool:
    """Whether this process is one of several of a launcher that sets torch's environment variables."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@contextlib.contextmanager
def joined_ranks(device: str) -> Iterator[RankGroup]:
    """Join the other processes for as long as the block lasts; alone where there are none.

    device: auto, cpu or cuda, of the user. With CUDA each process has the GPU of its number on the machine, and NCCL
    connects them; else gloo does. ValueError when a process has no GPU of its own.
    """
    if not started_by_torchrun():
        yield ALONE
        return
    own = rank_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield RankGroup(rank=dist.get_rank(), num_ranks=dist.get_world_size(), device=own)
    finally:
        dist.destroy_process_group()


def rank_device(device: str, local_rank: int) -> torch.device:
    """Return the device of the process `local_rank` of a machine, made the current one; ValueError without one."""
    chosen = choose_device(device)
    if chosen.type != "cuda":
        return chosen
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise ValueError(
            f"process {local_rank} of this machine has no GPU of its own, torch sees {count}; start at most {count} "
            "processes on it, or give --device cpu"
        )
    own = torch.device("cuda", local_rank)
    torch.cuda.set_device(own)
    return own
