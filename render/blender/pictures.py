"""Pictures on their way into Blender."""

from __future__ import annotations

import bpy
import numpy as np


def crop_to_aspect(picture: np.ndarray, aspect: float) -> np.ndarray:
    """The largest centred part of a picture with the given width / height."""
    height, width = picture.shape[:2]
    crop_width, crop_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return picture[top : top + crop_height, left : left + crop_width]


def as_blender_image(picture: np.ndarray, name: str) -> bpy.types.Image:
    """A packed sRGB image from uint8 (H, W, 3); Blender's rows run upwards."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width=width, height=height, alpha=False)
    pixels = np.ones((height, width, 4), dtype=np.float32)
    pixels[..., :3] = picture[::-1].astype(np.float32) / 255.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    return image
