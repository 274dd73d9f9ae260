"""Interaction-and-Propagation Networks (Oh, Lee, Xu, Kim: CVPR 2019) as a session.

The interaction network answers on the frame until its masks are committed; the propagation network carries them both
ways, up to the next frame that the user worked on; between two of them new and old masks weigh by distance.
"""

from functools import partial
from pathlib import Path

from ....models.ipn import IPNNetwork
from .ipn_engine import IPNEngine
from .ipn_settings import IPNSettings
from .video_session import VideoSession


class IPNSession(VideoSession):
    """A user's work on one video; see `VideoSession`. Modules of its times: "i-net" and "p-net".

    network: both networks, trained. Deterministic on one device. Memory is bounded whatever the length of the video,
    see `max_rounds`.
    """

    def __init__(self, network: IPNNetwork, settings: IPNSettings, folder: Path | None = None) -> None:
        super().__init__(settings, partial(IPNEngine, network.to(settings.device).eval(), settings), folder)
