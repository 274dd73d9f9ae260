"""Interactive segmentation "in the wild" (Benard and Gygli, 2017) as a session.

The click network answers on a frame until its masks are committed; OSVOS is tuned to all frames with given masks, one
network for each object, and segments the rest of the video anew. The user refines the worst frame, which becomes one
more frame to tune to (progressive refinement).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from ....models.click_net import ClickNetwork
from ....models.osvos import OSVOSNetwork
from ..osvos_tuning import tuning_for
from .video_session import VideoSession
from .wild_engine import WildEngine
from .wild_settings import WildSettings


class WildSession(VideoSession):
    """A user's work on one video; see `VideoSession`. Modules of its times: "clicknet", "tuning" and "osvos".

    clicknet may be None where all inputs are free-hand masks. osvos: the parent network. Deterministic on one device.
    """

    def __init__(
        self,
        clicknet: ClickNetwork | None,
        osvos: OSVOSNetwork,
        settings: WildSettings,
        folder: Path | None = None,
    ) -> None:
        for network in (clicknet, osvos):
            if network is not None:
                network.to(settings.device).eval()
        if settings.tuning is None:
            iterations, short_side = settings.tuning_iterations, settings.clicks.short_side
            settings = replace(settings, tuning=tuning_for(osvos, iterations=iterations, short_side=short_side))
        super().__init__(settings, partial(WildEngine, clicknet, osvos, settings), folder)
