"""Pictures behind asset references: textures, backgrounds and environments, from files or painted."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageOps

from ..procedural.environments import paint_environment
from ..procedural.textures import TEXTURE_FAMILIES, paint_background, paint_texture
from ..scene import AssetReference

OVERSAMPLING = 2
"""A file is kept at up to this many times the size asked for; what is larger is shrunk."""


def load_image(reference: AssetReference, width: int, height: int) -> np.ndarray:
    """The picture of a texture or background reference, uint8 (H, W, 3) RGB.

    A file is turned upright (EXIF) and keeps its proportions; it is shrunk, never enlarged, to the smallest size that
    covers twice width by height. A procedural texture is painted width by width, a procedural background width by
    height. Raises OSError for a file that is gone or damaged.
    """
    if reference.path is not None:
        return read_picture(reference.path, width, height)
    rng = np.random.default_rng(np.random.SeedSequence(reference.seed))
    if reference.family in TEXTURE_FAMILIES:
        return paint_texture(reference.family, rng, width)
    return paint_background(reference.family, rng, width, height)


def read_picture(path: str, width: int, height: int) -> np.ndarray:
    """A picture file, upright and not much larger than asked for, uint8 (H, W, 3) RGB; see `load_image`."""
    with Image.open(path) as image:
        # Decoding a JPEG at a fraction of its size costs a fraction: 100 megapixels would take seconds and 300 MB.
        side = OVERSAMPLING * max(width, height)
        image.draft("RGB", (side, side))
        upright = _as_rgb(ImageOps.exif_transpose(image))
    scale = max(OVERSAMPLING * width / upright.width, OVERSAMPLING * height / upright.height)
    if scale < 1:
        size = (round(upright.width * scale), round(upright.height * scale))
        upright = upright.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(upright)


def load_environment(reference: AssetReference, height: int) -> np.ndarray:
    """The equirectangular picture of an environment reference, linear radiance float32 (H, W, 3) RGB.

    Row 0 is straight up. A file keeps its size; a procedural one is painted height by twice height. Raises ValueError
    for a file that cannot be read or holds values that are not finite.
    """
    if reference.path is not None:
        return read_radiance(reference.path)
    rng = np.random.default_rng(np.random.SeedSequence(reference.seed))
    return paint_environment(reference.family, rng, height)


def read_radiance(path: str) -> np.ndarray:
    """A .hdr or .exr file as linear radiance, float32 (H, W, 3) RGB; raises ValueError when it cannot be used."""
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # OpenCV asks for it when it opens its first EXR file
    import cv2

    try:
        picture = cv2.imread(path, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded: {error.err or error}") from error
    if picture is None:
        raise ValueError("cannot be decoded as Radiance (.hdr) or OpenEXR (.exr)")
    picture = picture[..., ::-1].astype(np.float32)
    if not np.isfinite(picture).all():
        raise ValueError("holds radiances that are not finite numbers")
    return picture


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, as displacement maps come; Pillow would clip them at 255
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
