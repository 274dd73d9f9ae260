"""Modular interactive video object segmentation (Cheng, Tai, Tang: MiVOS, CVPR 2021) as a session.

Scribble-to-Mask answers on the frame until its masks are committed; the propagation network carries them both ways; and
between two interactions the fusion network decides.
"""

from functools import partial
from pathlib import Path

from ....models.fusion import FusionNetwork
from ....models.propagation import PropagationNetwork
from ....models.s2m import S2MNetwork
from .mivos_engine import MiVOSEngine, MiVOSNetworks
from .mivos_settings import MiVOSSettings
from .video_session import VideoSession


class MiVOSSession(VideoSession):
    """A user's work on one video; see `VideoSession`. Modules of its times: "s2m", "propagation" and "fusion".

    s2m may be None where all inputs are free-hand masks, fusion where the settings need none. Deterministic on one
    device. Memory is bounded whatever the length of the video, see `max_memory_frames`.
    """

    def __init__(
        self,
        s2m: S2MNetwork | None,
        propagation: PropagationNetwork,
        fusion: FusionNetwork | None,
        settings: MiVOSSettings,
        folder: Path | None = None,
    ) -> None:
        if fusion is None and settings.fusion in ("difference", "learned"):
            raise ValueError(f"fusion is {settings.fusion!r}, which needs a fusion network; choose 'linear' or 'none'")
        for network in (s2m, propagation, fusion):
            if network is not None:
                network.to(settings.device).eval()
        networks = MiVOSNetworks(s2m=s2m, propagation=propagation, fusion=fusion)
        super().__init__(settings, partial(MiVOSEngine, networks, settings), folder)
