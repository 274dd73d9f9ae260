"""Modular interactive video object segmentation (Cheng, Tai, Tang: MiVOS, CVPR 2021) as a session.

Scribble-to-Mask answers on the frame until its masks are committed; the propagation network carries them both ways; and
between two interactions the fusion network decides.
"""

from pathlib import Path

from ....models.fusion import FusionNetwork
from ....models.propagation import PropagationNetwork
from ....models.s2m import S2MNetwork
from .engine import MiVOSEngine
from .frames import FrameSource
from .settings import MiVOSSettings
from .store import ResultStore
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
        super().__init__(settings, folder)
        networks = (s2m, propagation, fusion)
        self._networks = tuple(None if one is None else one.to(settings.device).eval() for one in networks)

    def _make_engine(self, frames: FrameSource, object_ids: tuple[int, ...], store: ResultStore) -> MiVOSEngine:
        return MiVOSEngine(*self._networks, self.settings, frames=frames, object_ids=object_ids, store=store)
