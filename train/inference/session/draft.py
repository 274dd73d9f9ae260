"""A frame that a user works on until it is committed. N objects, H W pixels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....datagen.simulation.clicks.clicks import Click
from ....datagen.simulation.robot.strokes import Stroke
from ..geometry import Region
from ..interaction import stitched
from .protocol import Clicks, Input, Scribbles
from .store import View


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """The work on one frame.

    before: the view of the store in which it began. base, ids: uint8 (H, W), before the strokes and clicks, and with
    them.
    """

    frame: int
    before: View
    base: np.ndarray
    ids: np.ndarray
    region: Region | None = None
    strokes: tuple[Stroke, ...] = ()
    clicks: Mapping[int, tuple[Click, ...]] = field(default_factory=dict)

    def with_inputs(
        self,
        inputs: Mapping[int, Input],
        region: Region | None,
        correct: Callable[["Draft"], np.ndarray],
        margin: int,
    ) -> "Draft":
        """Add what a user gave, see `Session.interact`; correct: makes ids of a draft's base, strokes and clicks.

        Strokes and clicks add up and are answered together, all on the same base; a free-hand mask, or work in another
        region, makes what there is so far the base. Of one call, masks come last, so that they stand as drawn.
        """
        draft = self
        if region != self.region:
            draft = replace(self, base=self.ids, region=region, strokes=(), clicks={})
        strokes, clicks, masks = _sorted_inputs(inputs)
        if strokes or clicks:
            together = dict(draft.clicks)
            for object_id, given in clicks.items():
                # Taken out and put at the end: the object that is clicked last lies on top.
                together[object_id] = together.pop(object_id, ()) + given
            draft = replace(draft, strokes=draft.strokes + strokes, clicks=together)
            draft = replace(draft, ids=_inside(region, draft.base, correct(draft), margin))
        if masks:
            ids = _inside(region, draft.ids, painted(draft.ids, masks), margin)
            draft = replace(draft, base=ids, ids=ids, strokes=(), clicks={})
        return draft


def painted(ids: np.ndarray, masks: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return ids uint8 (H, W) in which objects are exactly their free-hand masks, bool (H, W), a later over an earlier.

    What an object loses becomes background; a mask of 0 is painted as background and takes nothing back.
    """
    painted = ids.copy()
    painted[np.isin(painted, [object_id for object_id in masks if object_id])] = 0
    for object_id, mask in masks.items():
        painted[mask] = object_id
    return painted


def certain(ids: np.ndarray, object_ids: Sequence[int]) -> np.ndarray:
    """The probabilities of masks that nobody doubts, uint8 (N, H, W), 255 for 1."""
    return np.stack([ids == value for value in object_ids]).astype(np.uint8) * 255


def check_inputs(inputs: Mapping[int, Input], object_ids: Sequence[int], size: tuple[int, int]) -> None:
    """ValueError that names the first input of an unknown object, of a wrong shape or outside the frame."""
    height, width = size
    for object_id, given in inputs.items():
        if object_id not in (0, *object_ids):
            known = ", ".join(map(str, object_ids))
            raise ValueError(
                f"an input is of object {object_id}; the objects are {known}, and 0 for the background: all are named "
                "when a session begins, so begin another one with this object too"
            )
        if isinstance(given, np.ndarray):
            if given.dtype != np.bool_ or given.shape != size:
                raise ValueError(
                    f"the mask of object {object_id} is {given.dtype} {given.shape}; give bool {tuple(size)}"
                )
        elif isinstance(given, Clicks):
            if object_id == 0 and given.negative:
                raise ValueError("a negative click is of the background (0); click positively on the object under it")
            for x, y in (*given.positive, *given.negative):
                if not (0 <= x <= width and 0 <= y <= height):
                    raise ValueError(
                        f"a click of object {object_id} is at ({x}, {y}), outside a {width}x{height} frame"
                    )
        elif not isinstance(given, Scribbles):
            raise ValueError(
                f"the input of object {object_id} is a {type(given).__name__}; give Scribbles, Clicks or a bool array"
            )


def _inside(region: Region | None, outside: np.ndarray, inside: np.ndarray, margin: int) -> np.ndarray:
    return inside if region is None else stitched(outside, inside, region, margin)


def _sorted_inputs(
    inputs: Mapping[int, Input],
) -> tuple[tuple[Stroke, ...], dict[int, tuple[Click, ...]], dict[int, np.ndarray]]:
    strokes: list[Stroke] = []
    clicks: dict[int, tuple[Click, ...]] = {}
    masks: dict[int, np.ndarray] = {}
    for object_id, given in inputs.items():
        if isinstance(given, np.ndarray):
            masks[object_id] = given
        elif isinstance(given, Scribbles):
            strokes += [Stroke(object_id=object_id, path=stroke.path) for stroke in given.strokes]
        elif given.positive or given.negative:
            clicks[object_id] = tuple(
                Click(x=x, y=y, positive=positive)
                for points, positive in ((given.positive, True), (given.negative, False))
                for x, y in points
            )
    return tuple(strokes), clicks, masks
