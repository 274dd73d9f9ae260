"""Pictures of published data sets to the JPEGs of a corpus: byte for byte where they are plain JPEGs, else encoded."""

import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..imaging.images import encode_jpeg

_ORIENTATION_TAG = 274
_TURNING, _SWAPPING = range(2, 9), range(5, 9)
"""EXIF orientations that turn or mirror a picture, and those that swap its sides."""
_END_OF_IMAGE = b"\xff\xd9"


class StoredPicture(NamedTuple):
    """A picture ready to be stored: its JPEG, sizes in pixels, and whether the bytes are those of the file."""

    jpeg: bytes
    size: tuple[int, int]
    source_size: tuple[int, int]
    is_original: bool


def store_picture(
    picture: bytes | np.ndarray, short_side: int = 0, mask_size: tuple[int, int] | None = None
) -> StoredPicture:
    """Return the JPEG of a picture, given as the bytes of a file or as uint8 (H, W, 3), RGB. Sizes are (width, height).

    An 8-bit RGB or grey JPEG is stored byte for byte (what follows its end marker is cut off). Encoded anew, with
    quality 95 and 4:4:4: other formats and colour spaces; a picture whose shorter side exceeds `short_side` pixels (0:
    any will do), which is reduced to it, bicubic; and a JPEG that its EXIF entry turns, because masks are drawn on the
    pixels as they are stored. Where only the turned picture has the `mask_size`, the mask was drawn on that.
    ValueError for bytes that are no whole picture.
    """
    if isinstance(picture, np.ndarray):
        return _encoded(picture, short_side)
    try:
        with Image.open(io.BytesIO(picture)) as image:
            image.load()
            is_jpeg = image.format == "JPEG" and image.mode in ("RGB", "L")
            orientation = image.getexif().get(_ORIENTATION_TAG, 1)
            follows_exif = orientation in _SWAPPING and image.width != image.height and mask_size == image.size[::-1]
            size = image.size[::-1] if follows_exif else image.size
            is_kept = is_jpeg and reduced_size(*size, short_side) == size
            if is_kept and (follows_exif or orientation not in _TURNING):
                whole = _whole_jpeg(picture)
                if whole is not None:
                    return StoredPicture(whole, size, size, is_original=True)
            rgb = _to_rgb(ImageOps.exif_transpose(image) if follows_exif else image)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{len(picture)} bytes cannot be decoded as a picture: {error}") from error
    return _encoded(rgb, short_side)


def reduced_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return (width, height) with the shorter side at most `short_side` pixels and the shape kept; 0: as it is."""
    shorter = min(width, height)
    if not short_side or shorter <= short_side:
        return width, height
    return max(1, round(width * short_side / shorter)), max(1, round(height * short_side / shorter))


def reduce_ids(ids: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return ids (or a mask as uint8) of another size, by the nearest pixel centre."""
    if ids.shape == (height, width):
        return ids
    return np.array(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))


def _encoded(rgb: np.ndarray, short_side: int) -> StoredPicture:
    source_size = rgb.shape[1], rgb.shape[0]
    size = reduced_size(*source_size, short_side)
    if size != source_size:
        rgb = np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    return StoredPicture(encode_jpeg(rgb), size, source_size, is_original=False)


def _whole_jpeg(content: bytes) -> bytes | None:
    """The bytes up to the last end marker if the same picture is read from them, None when it is not.

    Some files have padding or a second picture behind the end marker, which readers of corpora refuse as damage.
    """
    end = content.rfind(_END_OF_IMAGE) + len(_END_OF_IMAGE)
    if end == len(content):
        return content
    pictures = [cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR) for part in (content, content[:end])]
    is_same = all(picture is not None for picture in pictures) and np.array_equal(*pictures)
    return content[:end] if is_same else None


def _to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels as they are stored, uint8 (H, W, 3); 16-bit grey keeps its upper byte."""
    if image.mode.startswith("I"):
        values = np.array(image)
        grey = (values >> 8 if values.max(initial=0) > 255 else values).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
