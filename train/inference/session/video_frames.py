"""A video file as a source of frames. H W pixels."""

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from .frames import checked


class VideoFrames:
    """The frames of a video file, decoded when they are asked for; see `FrameSource`.

    Codecs go forward only, and seeking is not exact in all of them. So a frame behind the present one is reached by
    decoding from the start, and the frames before it are kept, up to `buffer_bytes`: reading backwards decodes the
    video once a buffer, not once a frame. Opening decodes the video once, to count its frames.
    """

    def __init__(self, path: Path | str, buffer_bytes: int = 256 * 1024 * 1024) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"there is no video file at {self.path}")
        self._open()
        first = self._decode()
        if first is None:
            raise ValueError(f"{self.path} cannot be decoded as a video; convert it, for example to MP4 with H.264")
        self.size = first.shape[:2]
        self._buffer: OrderedDict[int, np.ndarray] = OrderedDict()
        self._buffer_frames = max(1, buffer_bytes // first.nbytes)
        self.num_frames = 1
        while self._capture.grab():
            self.num_frames += 1
        self._open()

    def read(self, t: int) -> np.ndarray:
        """Frame t, RGB uint8 (H, W, 3); IndexError beyond the video, ValueError where it cannot be decoded any more."""
        return checked(self, t, self._read)

    def _read(self, t: int) -> np.ndarray:
        if t not in self._buffer:
            if t < self._next:
                self._open()
                self._buffer.clear()
            while self._next <= t - self._buffer_frames:
                # Left behind before it could be asked for: grabbing saves the conversion of colours.
                self._require(self._capture.grab())
                self._next += 1
            while self._next <= t:
                frame = self._decode()
                self._require(frame is not None)
                self._buffer[self._next] = frame
                self._next += 1
                while len(self._buffer) > self._buffer_frames:
                    self._buffer.popitem(last=False)
        return self._buffer[t].copy()

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(str(self.path))
        self._next = 0

    def _decode(self) -> np.ndarray | None:
        decoded, bgr = self._capture.read()
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB) if decoded else None

    def _require(self, decoded: bool) -> None:
        if not decoded:
            raise ValueError(f"frame {self._next} of {self.path} cannot be decoded, though it could when it was opened")
