"""Passes as pictures to look at; nothing is computed from these colours."""

import cv2
import numpy as np

from ..corpus.reader import Corpus
from ..corpus.records import ClipEntry
from .images import overlay


def pass_picture(corpus: Corpus, clip: ClipEntry, t: int, name: str) -> np.ndarray:
    """Return a pass of frame t in colours, uint8 (H, W, 3); black where it has no value.

    name: as `Corpus.read_pass` takes it. depth: bright is near; normals: x, y, z as R, G, B; flow: the hue is the
    direction (red to the right, yellow-green down), white is no motion, full colour the fastest pixel of the clip's
    frame; coordinates: x, y, z as R, G, B; amodal: the picture with the whole outline of every object. The frame that
    has no flow of that direction is black.
    """
    if name == "amodal":
        return _amodal_picture(corpus, clip, t)
    if name in ("flow_forward", "flow_backward"):
        beyond = clip.num_frames - 1 if name == "flow_forward" else 0
        # The pass must be there in other frames, else the error of the reader is the answer.
        if t == beyond and clip.num_frames > 1:
            corpus.read_pass(clip.key, abs(t - 1), name)
            return np.zeros((clip.height, clip.width, 3), np.uint8)
        return flow_colours(*corpus.read_pass(clip.key, t, name))
    values = corpus.read_pass(clip.key, t, name)
    if name == "depth":
        return depth_colours(values)
    valid = (values != 0).any(-1) if name == "normals" else values[1]
    shown = values / 2 + 0.5 if name == "normals" else values[0] + 0.5
    return np.where(valid[..., None], np.rint(255 * shown), 0).astype(np.uint8)


def depth_colours(depth: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3) of depth, float32 (H, W): the nearest pixel is bright, the furthest dark, 0 is black."""
    valid = depth > 0
    if not valid.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    # The inverse, as near things differ most.
    inverse = np.where(valid, 1 / np.where(valid, depth, 1), 0)
    near, far = inverse[valid].max(), inverse[valid].min()
    grey = np.rint(40 + 215 * (inverse - far) / max(near - far, 1e-12)).clip(0, 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_MAGMA), cv2.COLOR_BGR2RGB)
    return np.where(valid[..., None], colours, np.uint8(0))


def flow_colours(flow: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3) of flow, float32 (H, W, 2), with the hue for its direction; invalid pixels are black."""
    speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    fastest = max(float(speed[valid].max()) if valid.any() else 0.0, 1e-6)
    hsv = np.stack([angle, np.clip(speed / fastest, 0, 1), np.ones_like(speed)], axis=-1)
    rgb = cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)
    return np.where(valid[..., None], np.rint(255 * rgb), 0).astype(np.uint8)


def _amodal_picture(corpus: Corpus, clip: ClipEntry, t: int) -> np.ndarray:
    shown = corpus.read_rgb(clip.key, t)
    masks = corpus.read_pass(clip.key, t, "amodal")
    for number, mask in zip(clip.object_ids, masks, strict=True):
        shown = overlay(shown, mask.astype(np.uint8) * np.uint8(number), opacity=0.35)
    return shown
