"""Pictures and object ids to bytes and back. H W pixels; RGB order; ids: palette indices, 0 background, 255 ignore."""

import contextlib
import io
from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

JPEG_QUALITY = 95
CONTOUR_COLOUR = (255, 255, 255)


def _davis_palette() -> np.ndarray:
    """The palette of the DAVIS 2017 annotations: for 0..21 the bits of the index spread over R, G and B, then greys."""
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    for index in range(22):
        colour, rest = [0, 0, 0], index
        for bit in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= ((rest >> channel) & 1) << bit
            rest >>= 3
        palette[index] = colour
    return palette


DAVIS_PALETTE = _davis_palette()
"""uint8 (256, 3), RGB."""


def encode_jpeg(rgb: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """Return a JPEG without chroma subsampling (4:4:4), so that thin coloured objects keep their edges.

    rgb: uint8 (H, W, 3). quality: 1..100.
    """
    _check_rgb(rgb)
    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    written, content = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), settings)
    if not written:
        raise ValueError(f"OpenCV could not write a JPEG of shape {rgb.shape}")
    return content.tobytes()


def decode_jpeg(content: bytes) -> np.ndarray:
    """Return uint8 (H, W, 3), RGB; ValueError when the bytes are not a whole picture."""
    # libjpeg fills the missing half of a cut file with grey and only warns, so the end marker is looked for.
    if not content.startswith(b"\xff\xd8") or not content.endswith(b"\xff\xd9"):
        raise ValueError(f"{len(content)} bytes are not a whole JPEG (start or end marker missing)")
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{len(content)} bytes cannot be decoded as a JPEG")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def encode_png(rgb: np.ndarray) -> bytes:
    """Return a lossless PNG of a picture, uint8 (H, W, 3), RGB."""
    _check_rgb(rgb)
    written, content = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not written:
        raise ValueError(f"OpenCV could not write a PNG of shape {rgb.shape}")
    return content.tobytes()


def encode_palette_png(ids: np.ndarray) -> bytes:
    """Return an 8-bit palette PNG in DAVIS colours; the palette indices are the ids.

    ids: uint8 (H, W).
    """
    if ids.dtype != np.uint8 or ids.ndim != 2:
        raise ValueError(f"ids must be uint8 of shape (H, W), they are {ids.dtype} of shape {ids.shape}")
    image = Image.fromarray(np.ascontiguousarray(ids))
    image.putpalette(DAVIS_PALETTE.tobytes())
    output = io.BytesIO()
    image.save(output, format="PNG", compress_level=6)
    return output.getvalue()


def decode_ids(content: bytes, grey: Literal["refuse", "ids", "binary"] = "refuse") -> np.ndarray:
    """Return the ids of a mask picture as uint8 (H, W).

    A palette picture gives its indices. For an 8-bit grey picture `grey` decides: "refuse" raises ValueError, "ids"
    takes the grey values as ids, "binary" makes every value from 128 up object 1 (DAVIS 2016). Other pictures and
    broken bytes raise ValueError.
    """
    with _mask_picture(content) as image:
        mode, values = image.mode, np.array(image)
    if mode == "P" or (mode == "L" and grey == "ids"):
        return values
    if mode in ("L", "1") and grey == "binary":
        return (values.astype(np.uint8) >= (128 if mode == "L" else 1)).astype(np.uint8)
    raise ValueError(
        f"the mask picture has mode {mode}, a palette picture (P) is expected; for grey pictures choose "
        f'grey="ids" or grey="binary", it is {grey!r}'
    )


def decode_mask_picture(content: bytes) -> tuple[str, np.ndarray, np.ndarray | None]:
    """Return the mode of a mask picture, in Pillow's words, its values as they are, and its palette, uint8 (N, 3).

    ValueError for broken bytes.
    """
    with _mask_picture(content) as image:
        palette = np.reshape(image.getpalette("RGB"), (-1, 3)) if image.mode == "P" else None
        return image.mode, np.array(image), palette


@contextlib.contextmanager
def _mask_picture(content: bytes) -> Iterator[Image.Image]:
    """Open a mask picture whole; ValueError for broken bytes."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            yield image
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{len(content)} bytes cannot be decoded as a mask picture: {error}") from error


def overlay(rgb: np.ndarray, ids: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Return a copy of the picture with each object tinted in its DAVIS colour and outlined in white.

    rgb: uint8 (H, W, 3). ids: uint8 (H, W); 0 and 255 stay clear. opacity: 0..1.
    """
    _check_rgb(rgb)
    if ids.shape != rgb.shape[:2]:
        raise ValueError(f"ids of shape {ids.shape} do not fit a picture of shape {rgb.shape}")
    inside = (ids > 0) & (ids < 255)
    tint = DAVIS_PALETTE[ids].astype(np.float32)
    blended = np.rint(rgb * (1 - opacity) + tint * opacity).astype(np.uint8)
    result = np.where(inside[..., None], blended, rgb)
    # The outline lies on the pixels of the object that touch another id, so it never hides background.
    shown = np.where(inside, ids, 0).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    border = (cv2.dilate(shown, kernel) != shown) | (cv2.erode(shown, kernel) != shown)
    result[border & inside] = CONTOUR_COLOUR
    return result


def _check_rgb(rgb: np.ndarray) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture must be uint8 of shape (H, W, 3), it is {rgb.dtype} of shape {rgb.shape}")
