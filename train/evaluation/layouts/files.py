"""Frames and labels of one video in a folder of JPEGs and a folder of PNGs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.imaging.images import decode_jpeg, decode_mask_picture
from ....datagen.sources.videos.frame_folders import in_frame_order
from ..errors import EvaluationError, as_evaluation_errors
from ..sequences import AnnotatedSequence, listed, values_in

FRAME_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class VideoFiles:
    """Files of a video by frame number; `labels` is None where a frame has none. read_annotation: path -> uint8 ids."""

    frames: tuple[Path, ...]
    labels: tuple[Path | None, ...]
    read_annotation: Callable[[Path], np.ndarray]

    def read_frame(self, t: int) -> np.ndarray:
        """uint8 (H, W, 3), RGB."""
        path = self.frames[t]
        try:
            return decode_jpeg(path.read_bytes())
        except ValueError as error:
            raise EvaluationError(f"frame {path} cannot be read: {error}") from error

    def read_luma(self, t: int) -> np.ndarray:
        """The JPEG's own luma channel, uint8 (H, W): no colour conversion, and half the time to decode."""
        luma = cv2.imread(str(self.frames[t]), cv2.IMREAD_GRAYSCALE)
        if luma is None:
            raise EvaluationError(f"frame {self.frames[t]} cannot be read: it is not a whole JPEG")
        return luma

    def read_labels(self, t: int) -> np.ndarray:
        """uint8 ids (H, W), void 255."""
        path = self.labels[t]
        if path is None:
            raise EvaluationError(f"frame {self.frames[t]} has no annotation")
        return self.read_annotation(path)


def video_of_files(
    name: str, frames: Mapping[str, Path], masks: Mapping[str, Path], read_annotation: Callable[[Path], np.ndarray]
) -> AnnotatedSequence:
    """The video of frames and masks by stem, as `files_by_stem` finds them; a frame may lack its mask."""
    stems = tuple(frames)
    files = VideoFiles(
        frames=tuple(frames.values()),
        labels=tuple(masks.get(stem) for stem in stems),
        read_annotation=read_annotation,
    )
    annotated = tuple(t for t, stem in enumerate(stems) if stem in masks)
    return AnnotatedSequence(
        name=name,
        frame_names=stems,
        read_frame=files.read_frame,
        read_luma=files.read_luma,
        read_labels=files.read_labels,
        annotated=None if len(annotated) == len(stems) else annotated,
    )


def files_by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The files of a folder with one of the suffixes, in the order of `in_frame_order`.

    EvaluationError when there is no such folder, or the order is not clear.
    """
    if not folder.is_dir():
        raise EvaluationError(f"the folder {folder} is missing")
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes}
    with as_evaluation_errors():
        return {stem: found[stem] for stem in in_frame_order(found, folder)}


def read_ids(path: Path) -> np.ndarray:
    """The labels of an annotation that may be a palette picture, or grey with 0 and 255 as in DAVIS 2016: uint8 (H, W).

    255 is void in a palette picture and object 1 in a grey one. Raises EvaluationError for any other file.
    """
    mode, values = _read_picture(path)
    if mode == "P":
        return values
    if mode not in ("L", "1"):
        raise EvaluationError(f"annotation {path} has mode {mode}; masks are palette pictures, or grey with 0 and 255")
    # Only 0 and 255 (or 1) make a grey picture a DAVIS 2016 mask; other greys may be ids without their palette.
    there = values_in(values.astype(np.uint8))
    if len(there) > 2 or not set(there) <= {0, 1, IGNORE_ID}:
        raise EvaluationError(
            f"annotation {path} is grey with the values {listed([str(v) for v in there])}; "
            "grey annotations hold 0 and 255 only, ids need a palette picture"
        )
    return (values > 0).astype(np.uint8)


def read_palette(path: Path) -> np.ndarray:
    """The labels of a palette picture, uint8 (H, W). Raises EvaluationError for any other file."""
    mode, values = _read_picture(path)
    if mode != "P":
        raise EvaluationError(f"annotation {path} has mode {mode}; masks of YouTube-VOS are palette pictures")
    return values


def _read_picture(path: Path) -> tuple[str, np.ndarray]:
    try:
        mode, values, _ = decode_mask_picture(path.read_bytes())
    except ValueError as error:
        raise EvaluationError(f"annotation {path} cannot be read: it is not a whole picture") from error
    return mode, values


def read_merged(path: Path) -> np.ndarray:
    """As `read_ids`, with all objects as one, id 1."""
    labels = read_ids(path)
    return np.where(labels == IGNORE_ID, labels, labels > 0).astype(np.uint8)
