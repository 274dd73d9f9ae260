"""Settings of a session by clicks and OSVOS."""

from dataclasses import dataclass, field

from ..click_interaction import ClickNetSettings
from ..osvos_tuning import TuningSettings
from .session_settings import SessionSettings


@dataclass(frozen=True, kw_only=True)
class WildSettings(SessionSettings):
    """How a session answers.

    clicks: how clicks become a mask. tuning: how OSVOS learns the frames with given masks; None takes what `tuning_for`
    says of the network, with tuning_iterations (published 500) and the short side of the clicks.
    """

    clicks: ClickNetSettings = field(default_factory=ClickNetSettings)
    tuning: TuningSettings | None = None
    tuning_iterations: int = 500
