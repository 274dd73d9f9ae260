"""Videos that are read frame by frame; nothing is kept whole in memory. T frames, H W pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ....datagen.sources.videos.frame_folders import in_frame_order

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")


class FrameSource(Protocol):
    """A video. num_frames: T. size: (H, W) of every frame. read(t): frame t, RGB uint8 (H, W, 3), in any order."""

    num_frames: int
    size: tuple[int, int]

    def read(self, t: int) -> np.ndarray: ...


class CallableFrames:
    """Frames that a function reads, as those of an annotated sequence: `CallableFrames(s.num_frames, s.read_frame)`."""

    def __init__(self, num_frames: int, read: Callable[[int], np.ndarray]) -> None:
        if num_frames < 1:
            raise ValueError(f"the video has {num_frames} frames; give one or more")
        self.num_frames = num_frames
        self._read = read
        self.size = _size_of(read(0))

    def read(self, t: int) -> np.ndarray:
        """Frame t; IndexError beyond the video, ValueError for a frame of another size."""
        return checked(self, t, self._read)


class ArrayFrames(CallableFrames):
    """Frames that are in memory already, uint8 (T, H, W, 3)."""

    def __init__(self, frames: np.ndarray) -> None:
        if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
            raise ValueError(f"the frames are {frames.dtype} {frames.shape}; give uint8 (T, H, W, 3)")
        super().__init__(len(frames), lambda t: frames[t])


class FolderFrames(CallableFrames):
    """The pictures of a folder (jpg, png), in the order of `in_frame_order`; paths holds them. Hidden files are none.

    ValueError for a folder without pictures, for two of one name, as masks among the frames would be taken for frames,
    and for two of unclear order.
    """

    def __init__(self, folder: Path | str) -> None:
        folder = Path(folder)
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder; give the folder of a video's pictures")
        found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        by_name = sorted(path for path in found if not path.name.startswith("."))
        if not by_name:
            raise ValueError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})")
        by_stem: dict[str, Path] = {}
        for path in by_name:
            if (other := by_stem.setdefault(path.stem, path)) is not path:
                raise ValueError(f"{folder} holds {other.name} and {path.name}; leave one picture of each frame there")
        self.paths = [by_stem[stem] for stem in in_frame_order(by_stem, folder)]
        super().__init__(len(self.paths), lambda t: _read_picture(self.paths[t]))


def checked(source: FrameSource, t: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
    """Read frame t; IndexError beyond the video, ValueError for a frame of another size."""
    if not 0 <= t < source.num_frames:
        raise IndexError(f"frame {t} is asked for; the video has frames 0 to {source.num_frames - 1}")
    frame = read(t)
    if frame.dtype != np.uint8 or frame.shape != (*source.size, 3):
        raise ValueError(
            f"frame {t} is {frame.dtype} {frame.shape}, expected uint8 {(*source.size, 3)} as the first; all frames of "
            "a video must have one size"
        )
    return frame


def _size_of(frame: np.ndarray) -> tuple[int, int]:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"the first frame is {frame.dtype} {frame.shape}; expected uint8 (H, W, 3)")
    return frame.shape[:2]


def _read_picture(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} cannot be read as a picture; put the right file back")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
