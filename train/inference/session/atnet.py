"""ATNet (Heo, Koh, Kim: Interactive VOS using global and local transfer modules, ECCV 2020) as a session.

A-Net answers on the frame until its masks are committed; T-Net carries them both ways, from all annotated frames and
from neighbour to neighbour; between two annotated frames the probabilities of old and new are superposed.
"""

from functools import partial
from pathlib import Path

from ....models.atnet import ATNetwork
from .atnet_engine import ATNetEngine
from .atnet_settings import ATNetSettings
from .video_session import VideoSession


class ATNetSession(VideoSession):
    """A user's work on one video; see `VideoSession`. Modules of its times: "a-net" and "t-net".

    network: A-Net and T-Net, both trained. Deterministic on one device. Memory is bounded whatever the length of the
    video, see `max_annotated_frames`.
    """

    def __init__(self, network: ATNetwork, settings: ATNetSettings, folder: Path | None = None) -> None:
        super().__init__(settings, partial(ATNetEngine, network.to(settings.device).eval(), settings), folder)
