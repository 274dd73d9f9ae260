"""Settings of a session by clicks and OSVOS."""

from dataclasses import dataclass, field

from ..click_interaction import ClickNetSettings
from ..osvos_tuning import TuningSettings


@dataclass(frozen=True, kw_only=True)
class WildSettings:
    """How a session answers.

    clicks: how clicks become a mask. tuning: how OSVOS learns the frames with given masks; Benard and Gygli tune it for
    500 iterations. region_margin: pixels of a region's sides that stay. undo_depth, measure_times: see
    `MiVOSSettings`.
    """

    clicks: ClickNetSettings = field(default_factory=ClickNetSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    region_margin: int = 3
    device: str = "cpu"
    undo_depth: int = 20
    measure_times: bool = False

    def __post_init__(self) -> None:
        if self.undo_depth < 0 or self.region_margin < 0:
            raise ValueError(
                f"undo_depth is {self.undo_depth} and region_margin {self.region_margin}; give 0 or more of each"
            )
