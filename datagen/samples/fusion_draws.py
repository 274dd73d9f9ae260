"""What can be drawn from a clip with soft masks: a frame, the two interactions that reached it, and their objects."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..corpus.soft_masks import Reference

NUM_OBJECTS = 2


class FusionDraw(NamedTuple):
    """What was drawn from a clip: the frame to be fused, the previous and the new interaction, one or two objects."""

    target: int
    previous: int
    new: int
    object_ids: tuple[int, ...]


class FusionPair(NamedTuple):
    """Frames of two interactions, the ids of the objects that both know, and the frames that can be fused."""

    previous: int
    new: int
    object_ids: tuple[int, ...]
    targets: tuple[int, ...]


def draw_fusion(
    rng: np.random.Generator, references: Sequence[Reference], annotated: np.ndarray, between: bool = False
) -> FusionDraw | None:
    """Draw a reference, an object of it, a frame that it was carried to, then a second reference and object.

    The second reference is another one that lies among the frames of the first, has the object and was carried to the
    frame; the second object one that both have. The frame is neither of the two: there the mask is known. It must be
    among `annotated`. None when the first draws leave nothing to choose from.
    """
    if len(references) < 2:
        return None
    first = references[int(rng.integers(len(references)))]
    object_id = first.object_ids[int(rng.integers(len(first.object_ids)))]
    targets = np.intersect1d(first.frames(), annotated)
    if not len(targets):
        return None
    target = int(targets[int(rng.integers(len(targets)))])
    seconds = [
        other
        for other in references
        if other.frame not in (first.frame, target)
        and first.first <= other.frame <= first.last
        and other.first <= target <= other.last
        and object_id in other.object_ids
        and (not between or min(first.frame, other.frame) < target < max(first.frame, other.frame))
    ]
    if not seconds:
        return None
    second = seconds[int(rng.integers(len(seconds)))]
    others = [i for i in first.object_ids if i != object_id and i in second.object_ids]
    also = [others[int(rng.integers(len(others)))]] if others else []
    return FusionDraw(target, first.frame, second.frame, (object_id, *also))


def fusion_pairs(references: Sequence[Reference], annotated: np.ndarray, between: bool = False) -> list[FusionPair]:
    """Return all that `draw_fusion` can draw from; empty when a clip gives no sample."""
    pairs = []
    for first, second in itertools.permutations(references, 2):
        shared = tuple(i for i in first.object_ids if i in second.object_ids)
        reached = np.intersect1d(np.intersect1d(first.frames(), second.frames()), annotated)
        low, high = sorted((first.frame, second.frame))
        targets = tuple(int(t) for t in reached if t not in (low, high) and (low < t < high or not between))
        if shared and targets and first.first <= second.frame <= first.last:
            pairs.append(FusionPair(first.frame, second.frame, shared, targets))
    return pairs


def draw_of_pairs(rng: np.random.Generator, pairs: Sequence[FusionPair]) -> FusionDraw:
    """Draw one of these pairs, a frame that it can fuse, and one or two of its objects."""
    pair = pairs[int(rng.integers(len(pairs)))]
    target = pair.targets[int(rng.integers(len(pair.targets)))]
    object_ids = rng.permutation(pair.object_ids)[:NUM_OBJECTS]
    return FusionDraw(target, pair.previous, pair.new, tuple(int(i) for i in object_ids))
