"""Which cells of two frames of a composited sequence show the same thing: known exactly, for each layer's warp is."""

import numpy as np

from .plan import SequencePlan

NO_MATCH = -1


def match_cells(plan: SequencePlan, ids: np.ndarray, cell: int, still_shape: tuple[int, int]) -> np.ndarray:
    """Return, for each cell of each frame, the cell of each earlier frame that shows the same.

    ids: uint8 (T, S, S), those of the rendered plan. cell: its side in pixels, a divisor of S. still_shape: (H, W) of
    the still; the border around it matches nothing. Returns int64 (T, T, C) with C = (S / cell)^2: [t, s, c] is the
    cell of frame s where the middle of cell c of frame t lies, counted row by row; -1 where it lies outside or is
    covered by something else, and for s >= t.
    """
    num_frames, size, _ = ids.shape
    per_side = size // cell
    rows, columns = np.divmod(np.arange(per_side**2), per_side)
    middles = (np.stack([columns, rows], 1) + 0.5) * cell
    layers = [plan.still, *plan.pasted, *([] if plan.background is None else [plan.background])]
    layer_of_id = np.zeros(256, np.int64)
    for number, layer in enumerate(plan.pasted, start=1):
        layer_of_id[layer.object_ids[0]] = number
    if plan.background is not None:
        layer_of_id[0] = len(layers) - 1
    seen = [layer_of_id[_at(frame, middles)] for frame in ids]
    matches = np.full((num_frames, num_frames, per_side**2), NO_MATCH, np.int64)
    for number, layer in enumerate(layers):
        for t in range(1, num_frames):
            own = np.flatnonzero(seen[t] == number)
            if not len(own):
                continue
            points = layer.warps[t].source_points(middles[own], size)
            if layer is plan.still:
                shown = ((points >= 0) & (points < still_shape[::-1])).all(1)
                own, points = own[shown], points[shown]
            for s in range(t):
                places = layer.warps[s].result_points(points, size)
                inside = ((places >= 0) & (places < size)).all(1)
                held = inside.copy()
                held[inside] = layer_of_id[_at(ids[s], places[inside])] == number
                cells = (places[held] // cell).astype(np.int64)
                matches[t, s, own[held]] = cells[:, 1] * per_side + cells[:, 0]
    return matches


def _at(ids: np.ndarray, points: np.ndarray) -> np.ndarray:
    columns, rows = points.astype(np.int64).T
    return ids[rows, columns]
