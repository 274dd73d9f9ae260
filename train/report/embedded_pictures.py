"""Pictures inside a page: scaled down where they are wide, as JPEG data URIs."""

import base64
from pathlib import Path

import cv2
import numpy as np

from ...datagen.imaging.images import encode_jpeg

MAX_WIDTH, MAX_HEIGHT = 1500, 1500
MIN_WIDTH = 640
QUALITY = 85


def data_uri(rgb: np.ndarray) -> tuple[str, int]:
    """Return a picture uint8 (H, W, 3) as a data URI, and its width on the page in pixels.

    Small ones are enlarged by whole factors without smoothing, so that single pixels are seen.
    """
    height, width = rgb.shape[:2]
    shrink = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    elif width < MIN_WIDTH:
        enlarge = -(-MIN_WIDTH // width)
        rgb = cv2.resize(rgb, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_NEAREST)
    content = encode_jpeg(np.ascontiguousarray(rgb), QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content).decode(), rgb.shape[1]


def read_picture(path: Path) -> np.ndarray:
    """Return a picture file as uint8 (H, W, 3); ValueError when it cannot be read."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if bgr is None:
        raise ValueError(f"{path} cannot be read as a picture")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
