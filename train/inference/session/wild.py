"""Interactive segmentation "in the wild" (Benard and Gygli, 2017) as a session.

The click network answers on a frame until its masks are committed; OSVOS is tuned to all frames with given masks, one
network for each object, and segments the rest of the video anew. The user refines the worst frame, which becomes one
more frame to tune to (progressive refinement).
"""

from pathlib import Path

from ....models.click_net import ClickNetwork
from ....models.osvos import OSVOSNetwork
from .frames import FrameSource
from .store import ResultStore
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
        super().__init__(settings, folder)
        self._clicknet = None if clicknet is None else clicknet.to(settings.device).eval()
        self._osvos = osvos.to(settings.device).eval()

    def _make_engine(self, frames: FrameSource, object_ids: tuple[int, ...], store: ResultStore) -> WildEngine:
        return WildEngine(self._clicknet, self._osvos, self.settings, frames=frames, object_ids=object_ids, store=store)
