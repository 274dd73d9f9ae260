"""Settings of an IPN session."""

from dataclasses import dataclass

from ....datagen.simulation.robot.strokes import StrokeTip
from ..interaction import InteractionSettings
from .session_settings import SessionSettings


@dataclass(frozen=True, kw_only=True)
class IPNSettings(SessionSettings, InteractionSettings):
    """How a session answers.

    short_side: frames are scaled before regions are cut. stroke_width and stroke_tip: 5 and
    "diamond", lines dilated twice by a 3x3 cross. roi_scale: of each side of the box about the guidance, see `RoiRule`.
    round_neighbour: propagation gets the mask beside it as 0 or 1, as published. Both as in training where they are
    None. max_rounds: the newest interactions whose features are aggregated.
    """

    stroke_width: int = 5
    stroke_tip: StrokeTip = "diamond"
    roi_scale: float | None = None
    round_neighbour: bool | None = None
    max_rounds: int = 16

    def __post_init__(self) -> None:
        for part in (SessionSettings, InteractionSettings):
            part.__post_init__(self)
        if self.max_rounds < 1:
            raise ValueError(f"max_rounds is {self.max_rounds}; give 1 or more")
        if self.roi_scale is not None and self.roi_scale < 1:
            raise ValueError(f"roi_scale is {self.roi_scale}; give 1 or more, or None for that of the training")
