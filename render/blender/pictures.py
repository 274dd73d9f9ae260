"""Pictures on their way into Blender."""

from __future__ import annotations

import bpy
import cv2
import numpy as np


def crop_to_aspect(picture: np.ndarray, aspect: float) -> np.ndarray:
    """The largest centred part of a picture with the given width / height."""
    height, width = picture.shape[:2]
    crop_width, crop_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return picture[top : top + crop_height, left : left + crop_width]


def shrink_to(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with its longer side at most `side` pixels, averaged over areas."""
    longest = max(picture.shape[:2])
    if longest <= side:
        return picture
    return cv2.resize(picture, None, fx=side / longest, fy=side / longest, interpolation=cv2.INTER_AREA)


def load_map(path: str, side: int) -> np.ndarray:
    """A map of a PBR texture set as float32 (H, W, 3) in [0, 1], not colour managed, its longer side at most `side`.

    8 and 16 bits are told apart by their type. Raises ValueError when the file is not a picture.
    """
    picture = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise ValueError(f"texture map {path!r} cannot be read as a picture; leave it out of the texture folder")
    largest = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1.0
    return shrink_to(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(largest), side)


def as_blender_image(picture: np.ndarray, name: str) -> bpy.types.Image:
    """A packed sRGB image from uint8 (H, W, 3); Blender's rows run upwards."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width=width, height=height, alpha=False)
    _fill(image, picture.astype(np.float32) / 255.0)
    return image


def as_blender_data(values: np.ndarray, name: str) -> bpy.types.Image:
    """A float image of plain numbers, without colour management, from float32 (H, W) or (H, W, 3)."""
    height, width = values.shape[:2]
    image = bpy.data.images.new(name, width=width, height=height, alpha=False, float_buffer=True, is_data=True)
    _fill(image, values if values.ndim == 3 else values[..., None])
    return image


def _fill(image: bpy.types.Image, picture: np.ndarray) -> None:
    pixels = np.ones((*picture.shape[:2], 4), dtype=np.float32)
    pixels[..., :3] = picture[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.update()
