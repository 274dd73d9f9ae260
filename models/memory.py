"""Space-time memory read (STM, ICCV 2019, Sec. 3.2; top-k of MiVOS, CVPR 2021, Sec. 3.2).

B batch (one row an object), C channels, T memory frames, h w stride-16 cells.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .precision import at_least_float32

# Cells of one affinity matrix held at once, 48 MiB in fp32, whatever the number of memory frames. Larger ones are no
# faster. Below 32 MiB glibc takes them from its heap, where the small results between them keep it from giving any
# back: 20 frames at 480p then cost 280 MB instead of 160, and twice that after the second read.
MAX_AFFINITY_CELLS = 12 * 1024 * 1024


def read(memory_key: Tensor, memory_value: Tensor, query_key: Tensor, top_k: int | None = None) -> Tensor:
    """Read the memory at every query cell.

    memory_key (B, Ck, T, h, w), memory_value (B, Cv, T, h, w), query_key (B, Ck, h', w') -> (B, Cv, h', w').
    Affinity is the scaled dot product; the softmax runs over all T*h*w memory cells, or, with `top_k`, exactly over the
    k best of each query cell (k >= T*h*w is the full softmax; of equal affinities at the k-th place any is taken).
    Affinity and softmax are computed in at least fp32 also under autocast. Large reads are cut into chunks of queries,
    which changes no result. Raises ValueError when shapes disagree or top_k < 1.
    """
    if memory_key.shape[2:] != memory_value.shape[2:] or memory_key.shape[:2] != query_key.shape[:2]:
        raise ValueError(
            f"memory_key {tuple(memory_key.shape)}, memory_value {tuple(memory_value.shape)} and query_key "
            f"{tuple(query_key.shape)} must be (B, Ck, T, h, w), (B, Cv, T, h, w) and (B, Ck, h', w')"
        )
    if memory_value.shape[0] != memory_key.shape[0]:
        raise ValueError(f"{memory_key.shape[0]} rows of memory keys and {memory_value.shape[0]} of values; give both")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}; give a positive number or None for the full softmax")
    keys, values = at_least_float32(memory_key).flatten(2), memory_value.flatten(2)
    queries = at_least_float32(query_key).flatten(2).transpose(1, 2) / math.sqrt(query_key.shape[1])
    if top_k is None or top_k >= keys.shape[2]:
        readout = _read_all(keys, values, queries)
    else:
        # Row by row: the copy of the values that a row needs is then held for one row only.
        rows = zip(keys, values, queries, strict=True)
        readout = torch.stack([_read_best(*row, top_k) for row in rows])
    return readout.transpose(1, 2).unflatten(2, query_key.shape[2:])


def _read_all(keys: Tensor, values: Tensor, queries: Tensor) -> Tensor:
    """Full softmax: keys (B, Ck, M), values (B, Cv, M), queries (B, Q, Ck), scaled -> (B, Q, Cv)."""
    readouts = []
    for chunk in queries.split(_queries_at_once(keys.shape[0] * keys.shape[2]), dim=1):
        # bf16 has 8 bits: an affinity of 100 would be off by up to 0.25, its weight by a quarter.
        with torch.autocast(keys.device.type, enabled=False):
            weights = torch.bmm(chunk, keys).softmax(dim=2)
        readouts.append(torch.bmm(weights.to(values.dtype), values.transpose(1, 2)))
    return torch.cat(readouts, dim=1)


def _read_best(keys: Tensor, values: Tensor, queries: Tensor, top_k: int) -> Tensor:
    """Softmax over the k best: keys (Ck, M), values (Cv, M), queries (Q, Ck), scaled -> (Q, Cv).

    The weights of all other cells are zero: the k values are added up, and no matrix of weights is made.
    """
    cells = values.t().contiguous()
    readouts = []
    with torch.autocast(keys.device.type, enabled=False):
        for chunk in queries.split(_queries_at_once(keys.shape[1])):
            best, where = torch.mm(chunk, keys).topk(top_k, dim=1)
            weights = best.softmax(dim=1).to(cells.dtype)
            readouts.append(F.embedding_bag(where, cells, mode="sum", per_sample_weights=weights))
    return torch.cat(readouts)


def _queries_at_once(num_memory: int) -> int:
    return max(1, MAX_AFFINITY_CELLS // max(1, num_memory))
