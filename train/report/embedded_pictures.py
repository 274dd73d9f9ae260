"""Pictures inside the page: scaled down where they are wide, as JPEG data URIs."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...datagen.imaging.images import encode_jpeg
from .run_record import Picture

MAX_WIDTH, MAX_HEIGHT = 1500, 1500
MIN_WIDTH = 640
QUALITY = 85


def data_uri(path: Path) -> tuple[str, int]:
    """Return the picture as a data URI, and its width in pixels; ValueError when it cannot be read.

    Small ones are enlarged by whole factors without smoothing, so that single pixels are seen.
    """
    bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path} cannot be read as a picture")
    height, width = bgr.shape[:2]
    shrink = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    if shrink < 1:
        size = (round(width * shrink), max(1, round(height * shrink)))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    elif width < MIN_WIDTH:
        enlarge = -(-MIN_WIDTH // width)
        bgr = cv2.resize(bgr, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_NEAREST)
    content = encode_jpeg(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content).decode(), bgr.shape[1]


def spaced(pictures: Sequence[Picture], count: int) -> list[Picture]:
    """At most `count` pictures, evenly spaced, the first and the last among them; latest first."""
    if not pictures:
        return []
    places = np.unique(np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int))
    return [pictures[i] for i in reversed(places.tolist())]
