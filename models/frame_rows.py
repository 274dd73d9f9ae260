"""Features of frames that objects share: rows of a batch, taken and repeated. B batch, one frame a row."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class FrameRows:
    """Features of B frames: every field of a subclass is a tensor (B, ...)."""

    def rows(self, chosen: slice) -> Self:
        """Some rows of the batch."""
        return type(self)(**{name: value[chosen] for name, value in vars(self).items()})

    def for_objects(self, num_objects: int) -> Self:
        """Repeat every row `num_objects` times: (B, ...) -> (B * num_objects, ...), a frame's objects side by side."""
        if num_objects == 1:
            return self
        return type(self)(**{name: value.repeat_interleave(num_objects, dim=0) for name, value in vars(self).items()})
