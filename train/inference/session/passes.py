"""Where a propagation goes: from a frame with given masks both ways, up to the next frame with given masks."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One direction of a propagation.

    source: the frame with the new masks. frames: those to be set, in order. partner: the frame whose masks were carried
    here before, between which and the source fusion decides; None where the new masks win. earlier: all other given
    frames whose masks were carried through the video before, ascending.
    """

    source: int
    frames: range
    partner: int | None
    earlier: tuple[int, ...] = ()

    def distances(self, t: int) -> tuple[float, float]:
        """How far frame t is from the partner and from the source, over the distance of the two."""
        whole = abs(self.source - self.partner)
        return abs(t - self.partner) / whole, abs(t - self.source) / whole


def passes_from(source: int, given: Collection[int], propagated: Collection[int], num_frames: int) -> tuple[Pass, Pass]:
    """Return the passes forward and backward from a frame.

    given: all frames with given masks; a pass ends before the first of them and never changes one. propagated: those
    of them whose masks were carried through the video before. The nearest of them in a pass's direction is its partner,
    also beyond the pass's end: what stands before that end came from there.
    """
    ahead, behind = [t for t in given if t > source], [t for t in given if t < source]
    earlier = tuple(sorted({*propagated} - {source}))
    return (
        Pass(
            source=source,
            frames=range(source + 1, min(ahead, default=num_frames)),
            partner=min((t for t in earlier if t > source), default=None),
            earlier=earlier,
        ),
        Pass(
            source=source,
            frames=range(source - 1, max(behind, default=-1), -1),
            partner=max((t for t in earlier if t < source), default=None),
            earlier=earlier,
        ),
    )


def nearest_given(source: int, given: Collection[int], at_most: int) -> list[int]:
    """Return the given frames to have in memory: the source and those nearest to it, the earlier of two as near."""
    return sorted(sorted(given, key=lambda t: (abs(t - source), t))[:at_most])
