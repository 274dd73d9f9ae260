"""What a camera does to pictures: blur and the noise of JPEG compression; drawn once for a sequence."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..imaging.images import decode_jpeg


@dataclass(frozen=True, kw_only=True)
class Blur:
    """A blur in pixels: a Gaussian of this sigma, or, with a length, a line of motion at this angle (clockwise)."""

    sigma: float = 0.0
    length: float = 0.0
    angle_degrees: float = 0.0


def draw_blur(
    rng: np.random.Generator, sigma: tuple[float, float], length: tuple[float, float], motion_probability: float
) -> Blur:
    """Draw a blur: of motion with `motion_probability`, else Gaussian, from these ranges in pixels."""
    if rng.random() < motion_probability:
        return Blur(length=rng.uniform(*length), angle_degrees=rng.uniform(0, 180))
    return Blur(sigma=rng.uniform(*sigma))


def blur_picture(rgb: np.ndarray, blur: Blur) -> np.ndarray:
    """Return the blurred picture, uint8 (H, W, 3); a blur of a third of a pixel or less leaves it as it is."""
    if blur.length > 1:
        return cv2.filter2D(rgb, -1, motion_kernel(blur), borderType=cv2.BORDER_REFLECT_101)
    if blur.sigma > 1 / 3:
        return cv2.GaussianBlur(rgb, (0, 0), blur.sigma, borderType=cv2.BORDER_REFLECT_101)
    return rgb


def motion_kernel(blur: Blur) -> np.ndarray:
    """Return the kernel of a blur of motion: a line through the centre, float32 (n, n) with n odd, of sum 1."""
    reach = int(np.ceil(blur.length / 2))
    angle = np.deg2rad(blur.angle_degrees)
    along = np.linspace(-(blur.length - 1) / 2, (blur.length - 1) / 2, 8 * (2 * reach + 1))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    # Each point of the line is shared by the four pixels around it.
    x, y = reach + along * np.cos(angle), reach + along * np.sin(angle)
    columns, rows = np.floor(x).astype(int), np.floor(y).astype(int)
    for row, share_y in ((rows, 1 - (y - rows)), (np.minimum(rows + 1, 2 * reach), y - rows)):
        for column, share_x in ((columns, 1 - (x - columns)), (np.minimum(columns + 1, 2 * reach), x - columns)):
            np.add.at(kernel, (row, column), share_x * share_y)
    return kernel / kernel.sum()


def add_jpeg_noise(rgb: np.ndarray, quality: int) -> np.ndarray:
    """Return the picture as a JPEG of this quality (1..100) leaves it, with halved chroma as cameras store it."""
    if not 1 <= quality <= 100:
        raise ValueError(f"the quality of a JPEG is {quality}, it must be from 1 to 100")
    written, content = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        raise ValueError(f"OpenCV could not write a JPEG of shape {rgb.shape}")
    return decode_jpeg(content.tobytes())
