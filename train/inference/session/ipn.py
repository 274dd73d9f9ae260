"""Interaction-and-Propagation Networks (Oh, Lee, Xu, Kim: CVPR 2019) as a session.

The interaction network answers on the frame until its masks are committed; the propagation network carries them both
ways, up to the next frame that the user worked on; between two of them new and old masks weigh by distance.
"""

from pathlib import Path

from ....models.ipn import IPNNetwork
from .frames import FrameSource
from .ipn_engine import IPNEngine
from .ipn_settings import IPNSettings
from .store import ResultStore
from .video_session import VideoSession


class IPNSession(VideoSession):
    """A user's work on one video; see `VideoSession`. Modules of its times: "i-net" and "p-net".

    network: both networks, trained. Deterministic on one device. Memory is bounded whatever the length of the video,
    see `max_rounds`.
    """

    def __init__(self, network: IPNNetwork, settings: IPNSettings, folder: Path | None = None) -> None:
        super().__init__(settings, folder)
        self._network = network.to(settings.device).eval()

    def _make_engine(self, frames: FrameSource, object_ids: tuple[int, ...], store: ResultStore) -> IPNEngine:
        return IPNEngine(self._network, self.settings, frames=frames, object_ids=object_ids, store=store)
