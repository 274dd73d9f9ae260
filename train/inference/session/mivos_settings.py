"""Settings of a MiVOS session."""

from dataclasses import dataclass
from typing import Literal, get_args

from ..interaction import InteractionSettings
from ..propagation_settings import PropagationSettings
from .session_settings import SessionSettings

FusionMode = Literal["difference", "learned", "linear", "none"]


@dataclass(frozen=True, kw_only=True)
class MiVOSSettings(SessionSettings, InteractionSettings, PropagationSettings):
    """How a session answers; precision is of propagation alone.

    fusion: what decides between two interactions: the fusion network with difference maps, the same with empty maps
    (learnable fusion without difference), blending by distance alone, or "none", the newest wins. attention_top_k:
    cells that the fusion network's attention reads, 0 for all; None is what it was trained with.
    """

    fusion: FusionMode = "difference"
    attention_top_k: int | None = None

    def __post_init__(self) -> None:
        for part in (SessionSettings, InteractionSettings, PropagationSettings):
            part.__post_init__(self)
        if self.fusion not in get_args(FusionMode):
            raise ValueError(f"fusion is {self.fusion!r}; choose one of {', '.join(get_args(FusionMode))}")
        if self.attention_top_k is not None and self.attention_top_k < 0:
            raise ValueError(
                f"attention_top_k is {self.attention_top_k}; give a positive number, 0 for all cells, or None for what "
                "the network was trained with"
            )
        if self.max_memory_frames < 4:
            raise ValueError(
                f"max_memory_frames is {self.max_memory_frames}; give 4 or more: a pass begins at one given frame, may "
                "end at another, and remembers what it passes"
            )

    @property
    def max_given_frames(self) -> int:
        """Frames with given masks that a pass has in memory at most; half of the memory is for the frames it passes."""
        return self.max_memory_frames // 2
