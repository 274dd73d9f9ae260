"""Space-time memory read (STM, ICCV 2019, Sec. 3.2; top-k of MiVOS, CVPR 2021, Sec. 3.2).

B batch (one row an object), C channels, T memory frames, h w stride-16 cells.
"""

import math

import torch
from torch import Tensor

# Cells of one affinity matrix held at once: 64 Mi fp32 cells are 256 MiB, whatever the number of memory frames.
MAX_AFFINITY_CELLS = 64 * 1024 * 1024


def read(memory_key: Tensor, memory_value: Tensor, query_key: Tensor, top_k: int | None = None) -> Tensor:
    """Read the memory at every query cell.

    memory_key (B, Ck, T, h, w), memory_value (B, Cv, T, h, w), query_key (B, Ck, h', w') -> (B, Cv, h', w').
    Affinity is the scaled dot product; the softmax runs over all T*h*w memory cells, or, with `top_k`, exactly over the
    k best of each query cell (k >= T*h*w is the full softmax). Both are computed in fp32 also under autocast. Large
    reads are cut into query chunks, which changes no result. Raises ValueError when shapes disagree or top_k < 1.
    """
    if memory_key.shape[2:] != memory_value.shape[2:] or memory_key.shape[:2] != query_key.shape[:2]:
        raise ValueError(
            f"memory_key {tuple(memory_key.shape)}, memory_value {tuple(memory_value.shape)} and query_key "
            f"{tuple(query_key.shape)} must be (B, Ck, T, h, w), (B, Cv, T, h, w) and (B, Ck, h', w')"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}; give a positive number or None for the full softmax")
    batch, channels = query_key.shape[:2]
    keys = memory_key.flatten(2).transpose(1, 2).float()
    values = memory_value.flatten(2)
    queries = query_key.flatten(2).float() / math.sqrt(channels)
    num_memory, num_queries = keys.shape[1], queries.shape[2]
    full = top_k is None or top_k >= num_memory
    chunk = max(1, MAX_AFFINITY_CELLS // max(1, batch * num_memory))
    outputs = []
    for start in range(0, num_queries, chunk):
        # bf16 has 8 bits: an affinity of 100 would be off by up to 0.25, its weight by a quarter.
        with torch.autocast(keys.device.type, enabled=False):
            affinity = torch.bmm(keys, queries[:, :, start : start + chunk])
            weights = affinity.softmax(dim=1) if full else _top_k_softmax(affinity, top_k)
        outputs.append(torch.bmm(values, weights.to(values.dtype)))
    readout = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)
    return readout.unflatten(2, query_key.shape[2:])


def _top_k_softmax(affinity: Tensor, top_k: int) -> Tensor:
    best, where = affinity.topk(top_k, dim=1)
    return torch.zeros_like(affinity).scatter(1, where, best.softmax(dim=1).to(affinity.dtype))
