"""The brushes of textures and backgrounds: palettes, fractal noise, cells, warps, layers.

H, W pixels. Images are float32 (H, W, 3) RGB in [0, 1] until `to_bytes`; scalar fields are float32 (H, W).
Only NumPy's generator and single-pass OpenCV filters are used, so that the same generator gives the same bytes.
"""

from __future__ import annotations

import cv2
import numpy as np

# (lightness, chroma, hue in degrees) ranges of OKLCH, Ottosson's perceptual colour space, after what photographs show.
_SCHEMES: dict[str, list[tuple[tuple[float, float], tuple[float, float], tuple[float, float]]]] = {
    "earth": [((0.25, 0.8), (0.02, 0.09), (35, 85))],
    "wood": [((0.3, 0.75), (0.04, 0.1), (50, 80))],
    "foliage": [((0.25, 0.8), (0.05, 0.14), (105, 150)), ((0.3, 0.6), (0.03, 0.07), (60, 90))],
    "stone": [((0.2, 0.9), (0.0, 0.025), (0, 360))],
    "sea": [((0.25, 0.85), (0.03, 0.11), (190, 255))],
    "autumn": [((0.35, 0.8), (0.08, 0.17), (25, 95)), ((0.25, 0.45), (0.03, 0.08), (20, 60))],
    "clay": [((0.35, 0.7), (0.06, 0.13), (25, 50)), ((0.75, 0.92), (0.01, 0.04), (60, 100))],
    "dusk": [((0.2, 0.5), (0.03, 0.1), (270, 330)), ((0.6, 0.85), (0.08, 0.15), (30, 70))],
    "pastel": [((0.75, 0.93), (0.03, 0.08), (0, 360))],
    "cloth": [((0.2, 0.5), (0.05, 0.14), (0, 360)), ((0.6, 0.9), (0.02, 0.1), (0, 360))],
}


def oklch_to_rgb(colours: np.ndarray) -> np.ndarray:
    """(..., 3) of lightness [0, 1], chroma and hue (degrees) to sRGB in [0, 1], clipped."""
    lightness, chroma, hue = colours[..., 0], colours[..., 1], np.deg2rad(colours[..., 2])
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cone = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=-1,
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(cone**3 @ to_linear.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def palette(rng: np.random.Generator, count: int, scheme: str | None = None) -> np.ndarray:
    """`count` colours that belong together, dark to light: float32 (count, 3).

    scheme: a natural family of colours, by name; None draws one of them or a harmony (analogous, complementary, triad)
    about a random hue.
    """
    if scheme is None:
        names = [*_SCHEMES, "harmony", "harmony", "harmony", "harmony"]
        scheme = names[rng.integers(len(names))]
    lightness = np.linspace(rng.uniform(0.18, 0.4), rng.uniform(0.68, 0.93), count)
    if scheme == "harmony":
        offsets = [[0, 25, -25], [0, 180, 15], [0, 120, 240], [0, 150, 210], [0, 0, 10]][rng.integers(5)]
        hue = rng.uniform(0, 360) + np.asarray(offsets, float)[rng.integers(0, 3, count)] + rng.normal(0, 6, count)
        chroma = rng.uniform(0.03, 0.15) * rng.uniform(0.5, 1.2, count)
        lightness = lightness + rng.normal(0, 0.04, count)
    else:
        bands = _SCHEMES[scheme]
        which = rng.integers(0, len(bands), count)
        chroma = np.array([rng.uniform(*bands[i][1]) for i in which])
        hue = np.array([rng.uniform(*bands[i][2]) for i in which])
        low, high = bands[0][0]
        spread = low + (high - low) * np.linspace(0, 1, count)
        lightness = 0.5 * lightness + 0.5 * spread + rng.normal(0, 0.03, count)
    return oklch_to_rgb(np.stack([np.sort(np.clip(lightness, 0.08, 0.97)), chroma, hue], axis=-1))


def ramp(colours: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Colours (N, 3) along a field in [0, 1], blended linearly: float32 (H, W, 3)."""
    table = np.linspace(0, 1, 1024)
    stops = np.linspace(0, 1, len(colours))
    lookup = np.stack([np.interp(table, stops, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)
    return lookup[np.clip(value * 1023, 0, 1023).astype(np.int32)]


def noise(rng: np.random.Generator, height: int, width: int, cells: float, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise in [0, 1] with about `cells` bumps along the larger side; `stretch` > 1 draws bumps out along x."""
    size = max(height, width)
    rows = max(2, round(cells * height / size) + 1)
    columns = max(2, round(cells * width / size / stretch) + 1)
    values = rng.random((rows, columns), dtype=np.float32)
    return np.clip(cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def fbm(
    rng: np.random.Generator, height: int, width: int, cells: float, octaves=6, gain=0.5, stretch: float = 1.0
) -> np.ndarray:
    """Fractal noise: octaves of `noise`, each twice as fine and `gain` as strong, stretched to fill [0, 1]."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        if cells * 2**octave > max(height, width):
            break
        total += np.float32(gain**octave) * noise(rng, height, width, cells * 2**octave, stretch)
    return normalised(total)


def normalised(field: np.ndarray) -> np.ndarray:
    """The field stretched to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - np.float32(low)) / np.float32(max(high - low, 1e-6))


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between; reversed when low > high."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel centre, float32 (H, W); the larger side spans [0, 1]."""
    size = max(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / size, (y + 0.5) / size


def turned(x: np.ndarray, y: np.ndarray, radians: float) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates turned about the image's corner."""
    c, s = np.float32(np.cos(radians)), np.float32(np.sin(radians))
    return c * x + s * y, c * y - s * x


def warped(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, cells: float, strength: float, octaves: int = 3):
    """The coordinates pushed about by two noise fields: `strength` in units of the larger side."""
    height, width = x.shape
    push = [strength * (fbm(rng, height, width, cells, octaves) - 0.5) for _ in range(2)]
    return x + push[0], y + push[1]


def mix(below: np.ndarray, above: np.ndarray, opacity: np.ndarray | float) -> np.ndarray:
    """`above` laid over `below`; opacity (H, W) or a number, in [0, 1]; either may be one colour (3,)."""
    below, above, opacity = (np.asarray(a, np.float32) for a in (below, above, opacity))
    return below + (above - below) * (opacity[..., None] if opacity.ndim else opacity)


def cells(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, count: float, jitter: float = 0.9):
    """Worley cells, `count` along a unit of x and y: distances to the nearest and second site, and a cell number.

    Returns (first, second, label): float32 distances in units of a cell, int32 labels that start at 0 (with gaps).
    """
    u, v = x * np.float32(count), y * np.float32(count)
    u0, v0 = int(np.floor(u.min())) - 2, int(np.floor(v.min())) - 2
    columns, rows = int(np.floor(u.max())) - u0 + 3, int(np.floor(v.max())) - v0 + 3
    sites = (0.5 + jitter * (rng.random((rows, columns, 2), dtype=np.float32) - 0.5)).astype(np.float32)
    j, i = np.floor(u).astype(np.int32) - u0, np.floor(v).astype(np.int32) - v0
    fu, fv = u - np.floor(u), v - np.floor(v)
    first = np.full(u.shape, 9, np.float32)
    second, label = first.copy(), np.zeros(u.shape, np.int32)
    flat = sites.reshape(-1, 2)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            number = (i + di) * columns + (j + dj)
            site = flat[number]
            distance = (site[..., 0] + dj - fu) ** 2 + (site[..., 1] + di - fv) ** 2
            closer = distance < first
            second = np.minimum(np.where(closer, first, distance), second)
            first = np.where(closer, distance, first)
            label = np.where(closer, number, label)
    return np.sqrt(first), np.sqrt(second), label


def per_label(rng: np.random.Generator, label: np.ndarray) -> np.ndarray:
    """One random number in [0, 1) for each label, spread over its pixels: float32 (H, W)."""
    return rng.random(int(label.max()) + 1, dtype=np.float32)[label]


def relief(height_field: np.ndarray, strength: float, angle: float = 0.8) -> np.ndarray:
    """Light and shade of a height field lit from one side: float32 (H, W) about 1, to multiply an image by."""
    height_field = np.asarray(height_field, np.float32)
    dx = cv2.Sobel(height_field, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(height_field, cv2.CV_32F, 0, 1, ksize=3)
    return np.clip(1 + strength * (np.cos(angle) * dx + np.sin(angle) * dy), 0.35, 1.6)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, sigma in pixels; below 0.3 the image itself."""
    image = np.asarray(image, np.float32)
    return image if sigma < 0.3 else cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def shaded(image: np.ndarray, light: np.ndarray | float) -> np.ndarray:
    """The image times a light field (H, W) or number."""
    image, light = np.asarray(image, np.float32), np.asarray(light, np.float32)
    return image * (light[..., None] if light.ndim else light)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """float [0, 1] to uint8."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
