"""Textures people make: bricks, tiles, fabrics, dots, circuits, paint. float32 (size, size, 3) in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from .painting import (
    blurred,
    cells,
    fbm,
    grid,
    mix,
    palette,
    per_label,
    ramp,
    relief,
    shaded,
    smoothstep,
    turned,
    warped,
)


def bricks(rng: np.random.Generator, size: int, courses: tuple[int, int] = (5, 13)) -> np.ndarray:
    """Brickwork or ashlar with mortar, stains and chipped edges; `courses`: range of the number of rows."""
    x, y = warped(rng, *grid(size, size), 16, rng.uniform(0.004, 0.02))
    rows, ratio = rng.integers(*courses), rng.uniform(1.2, 3.0)
    row = np.floor(y * rows).astype(np.int32)
    shift = (row * rng.choice([0.5, 0.33, 0.25])) % 1.0
    along = x * rows / ratio + shift
    column = np.floor(along).astype(np.int32)
    label = row * 128 + column
    fx, fy = (along - column) * ratio, y * rows - row
    edge = np.minimum(np.minimum(fx, ratio - fx), np.minimum(fy, 1 - fy))
    edge = edge + 0.06 * (fbm(rng, size, size, 40, 3) - 0.5)
    colours = palette(rng, 5, ["clay", "stone", "earth", "autumn", None][rng.integers(5)])
    joint = rng.uniform(0.04, 0.1)
    rough = fbm(rng, size, size, 24, 5, 0.7)
    face = ramp(colours[:4], np.clip(0.55 * per_label(rng, label - label.min()) + 0.45 * rough, 0, 1))
    image = mix(
        shaded(np.broadcast_to(colours[4], face.shape), 0.75 + 0.3 * rough), face, smoothstep(joint, joint * 1.5, edge)
    )
    image = shaded(image, relief(smoothstep(joint * 0.8, joint * 2, edge) + 0.25 * rough, 0.8))
    return shaded(image, 0.75 + 0.45 * fbm(rng, size, size, 2, 5))


def tiles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Glazed tiles with one repeated motif (quarter circles, diamonds, crosses, stars), each a little different."""
    count = int(rng.integers(3, 8))
    x, y = grid(size, size)
    u, v = x * count, y * count
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    label = row * count + column
    fu, fv = u - column - 0.5, v - row - 0.5
    if rng.random() < 0.5:  # every second tile mirrored, so that motifs join over tile edges
        fu, fv = np.where(column % 2 == 0, fu, -fu), np.where(row % 2 == 0, fv, -fv)
    colours = palette(rng, 5, ["sea", "clay", "cloth", "pastel", None, None][rng.integers(6)])[rng.permutation(5)]
    kind = rng.integers(4)
    r, angle = np.hypot(fu, fv), np.arctan2(fv, fu)
    motif = [
        np.hypot(fu + 0.5, fv + 0.5),
        np.abs(fu) + np.abs(fv),
        np.minimum(np.abs(fu), np.abs(fv)) + 0.4 * np.maximum(np.abs(fu), np.abs(fv)),
        r * (1 + 0.35 * np.cos(int(rng.integers(2, 5)) * 2 * angle)),
    ][kind]
    band = np.floor(motif * rng.uniform(4, 8)).astype(np.int32)
    image = colours[np.abs(band) % 4]
    grout = 0.5 - np.maximum(np.abs(fu), np.abs(fv))
    image = shaded(image, 0.85 + 0.25 * per_label(rng, label) + 0.2 * (fbm(rng, size, size, 6, 6, 0.6) - 0.5))
    return mix(colours[4] * 0.7, image, smoothstep(0.012, 0.03, grout))


def mosaic(rng: np.random.Generator, size: int) -> np.ndarray:
    """Stained glass or a stone mosaic: cells coloured by a larger picture, between leads."""
    x, y = grid(size, size)
    x, y = warped(rng, x, y, 3, rng.uniform(0, 0.1))
    first, second, label = cells(rng, x, y, rng.uniform(7, 22), rng.uniform(0.4, 1.0))
    colours = palette(rng, 6)
    picture = fbm(rng, size, size, 3, 3)
    flat = np.clip(label, 0, None)
    weight = np.bincount(flat.ravel(), minlength=int(flat.max()) + 1)
    mean = np.bincount(flat.ravel(), picture.ravel(), minlength=len(weight)) / np.maximum(weight, 1)
    image = ramp(colours, np.clip(mean[flat].astype(np.float32) + 0.35 * (per_label(rng, label) - 0.5), 0, 1))
    image = shaded(image, 1.1 - 0.4 * first + 0.2 * (fbm(rng, size, size, 20, 4) - 0.5))
    lead = colours[0] * 0.4 if rng.random() < 0.6 else colours[-1]
    return mix(lead, image, smoothstep(0.03, 0.1, second - first))


def scales(rng: np.random.Generator, size: int) -> np.ndarray:
    """Overlapping fish scales, roof slates or feathers, coloured in drifts."""
    x, y = warped(rng, *grid(size, size), 4, 0.05)
    rows = rng.uniform(8, 18)
    colours = palette(rng, 5)
    drift = fbm(rng, size, size, 3, 4)
    image = np.zeros((size, size, 3), np.float32)
    aspect, pointed = rng.uniform(0.7, 1.3), rng.uniform(1.2, 2.6)
    base = np.floor(y * rows).astype(np.int32)
    for upper in (0, 1):  # the tips of the row above hang over this row
        row = base - upper
        along = x * rows * aspect + 0.5 * (row % 2)
        column = np.floor(along).astype(np.int32)
        fu, fv = 2 * np.abs(along - column - 0.5), y * rows - row
        depth = 1 + np.sqrt(np.clip(1 - fu**pointed, 0, 1)) - fv
        label = (row - row.min()) * 512 + column - column.min()
        tone = ramp(colours, np.clip(drift * 0.7 + 0.3 * per_label(rng, label), 0, 1))
        light = (
            0.4 + 0.4 * smoothstep(0, 1.6, fv) + 0.35 * smoothstep(0.3, 0.05, depth) + 0.06 * np.sin(fu * 18 + fv * 3)
        )
        image = mix(
            image * (1 - 0.5 * smoothstep(-0.35, 0, depth))[..., None], shaded(tone, light), smoothstep(0, 0.05, depth)
        )
    return image


def stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    """Ticking, awning or hand-painted stripes of unequal widths, straight or wavy, on canvas."""
    x, y = warped(rng, *grid(size, size), 3, rng.choice([0.0, 0.02, 0.15]))
    u, v = turned(x, y, rng.choice([0.0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)]))
    widths = rng.uniform(0.2, 1.0, int(rng.integers(4, 10))) ** 2 + 0.06
    stops = np.cumsum(widths) / widths.sum()
    phase = (u * rng.uniform(2, 5)) % 1.0
    band = np.searchsorted(stops, phase.ravel()).reshape(phase.shape)
    order = rng.integers(0, 5, len(stops) + 1)
    image = palette(rng, 5)[order[np.minimum(band, len(stops))]]
    thread = np.sin(u * size * 0.7) * np.sin(v * size * 0.7)
    return shaded(blurred(image, 0.7), 0.95 + 0.08 * thread + 0.25 * (fbm(rng, size, size, 5, 6, 0.7) - 0.5))


def plaid(rng: np.random.Generator, size: int) -> np.ndarray:
    """Tartan or gingham: the same sett in warp and weft, woven in a twill."""
    x, y = warped(rng, *grid(size, size), 3, rng.uniform(0, 0.06))
    if rng.random() < 0.3:
        x, y = turned(x, y, np.pi / 4)
    colours = palette(rng, 4, ["cloth", "cloth", None][rng.integers(3)])
    half = rng.integers(0, 4, int(rng.integers(3, 7)))
    widths = rng.integers(1, 9, len(half))
    sett = np.repeat(np.concatenate([half, half[::-1]]), np.concatenate([widths, widths[::-1]]))
    repeats = rng.uniform(2, 5)
    warp = colours[sett[(np.floor(x * repeats * len(sett)) % len(sett)).astype(np.int32)]]
    weft = colours[sett[(np.floor(y * repeats * len(sett)) % len(sett)).astype(np.int32)]]
    twill = ((np.floor(x * size / 2) + np.floor(y * size / 2)) % 4 < 2).astype(np.float32)
    image = mix(warp, weft, 0.3 + 0.4 * twill)
    return shaded(image, 0.9 + 0.3 * (fbm(rng, size, size, 4, 6, 0.7) - 0.5))


def weave(rng: np.random.Generator, size: int) -> np.ndarray:
    """Wicker or coarse cloth: rounded strands over and under one another."""
    x, y = warped(rng, *grid(size, size), 4, rng.uniform(0.01, 0.06))
    count = rng.uniform(9, 22)
    u, v = x * count, y * count
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = u - column - 0.5, v - row - 0.5
    over = (column // int(rng.integers(1, 3)) + row) % 2 == 0
    across, along = np.where(over, fu, fv), np.where(over, fv, fu)
    strand = np.where(over, column - column.min(), row - row.min() + 200)
    light = np.sqrt(np.clip(1 - (across * 1.9) ** 2, 0, 1)) * (0.62 + 0.38 * np.cos(np.pi * along))
    fibre = 0.12 * np.sin(across * 40 + 3 * per_label(rng, strand))
    colours = palette(rng, 6, ["wood", "earth", "cloth", None, None][rng.integers(5)])
    tone = np.clip(0.5 * per_label(rng, strand) + 0.3 * fbm(rng, size, size, 40, 3), 0, 0.5) + np.where(over, 0.5, 0)
    return shaded(ramp(colours, tone), 0.3 + 0.85 * light + fibre)


def polka_dots(rng: np.random.Generator, size: int) -> np.ndarray:
    """Dots, rings or petals of a few sizes, on a grid or scattered, over mottled cloth."""
    x, y = grid(size, size)
    x, y = turned(x, y, rng.uniform(0, np.pi / 2))
    colours = palette(rng, 5)[rng.permutation(5)]
    image = shaded(np.broadcast_to(colours[0], (size, size, 3)), 0.85 + 0.3 * fbm(rng, size, size, 4, 6, 0.6))
    for layer in range(rng.integers(1, 4)):
        count = rng.uniform(4, 12)
        u, v = x * count, y * count
        if layer == 0:
            u = u + 0.5 * (np.floor(v) % 2)
        column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
        label = (row - row.min()) * 64 + column - column.min()
        fu, fv = u - column - 0.5, v - row - 0.5
        if layer:
            fu, fv = fu + 0.3 * (per_label(rng, label) - 0.5), fv + 0.3 * (per_label(rng, label) - 0.5)
        r, petals = np.hypot(fu, fv), int(rng.integers(0, 7))
        if petals > 2:
            r = r / (1 + 0.3 * np.cos(petals * np.arctan2(fv, fu)))
        radius = rng.uniform(0.15, 0.33) * (0.7 + 0.6 * per_label(rng, label))
        shown = smoothstep(0.03, 0, r - radius) * (per_label(rng, label) < (1 if layer == 0 else 0.6))
        image = mix(image, ramp(colours[1:], per_label(rng, label)), shown)
        image = mix(image, colours[0], smoothstep(0.03, 0, r - radius * 0.45) * shown * (petals % 2))
    return shaded(image, 0.95 + 0.1 * fbm(rng, size, size, size / 6, 2))


def circuit(rng: np.random.Generator, size: int) -> np.ndarray:
    """A printed board or maze of tracks: right-angled lines, pads, chips with legs."""
    colours = palette(rng, 4, ["foliage", "sea", "stone", "cloth"][rng.integers(4)])
    image = shaded(np.broadcast_to(colours[1], (size, size, 3)), 0.85 + 0.25 * fbm(rng, size, size, 8, 5))
    image = np.ascontiguousarray(image, dtype=np.float32)
    pitch = size / float(rng.integers(26, 44))
    count = int(size / pitch)
    metal, light = colours[3].tolist(), (colours[2] * 1.1).tolist()
    steps = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
    thick = max(1, round(pitch * 0.3))
    for _ in range(count * 4):
        points, heading = [rng.integers(0, count, 2)], int(rng.integers(0, 4)) * 2
        for _ in range(rng.integers(2, 6)):
            points.append(points[-1] + steps[heading % 8] * int(rng.integers(1, 6)))
            heading += int(rng.choice([-1, 1, 2]))
        line = (np.array(points) * pitch).astype(np.int32)
        cv2.polylines(image, [line], False, light, thick, cv2.LINE_AA)
        for end in (line[0], line[-1]):
            cv2.circle(image, end.tolist(), round(pitch * 0.42), metal, -1, cv2.LINE_AA)
            cv2.circle(image, end.tolist(), round(pitch * 0.16), (colours[0] * 0.5).tolist(), -1, cv2.LINE_AA)
    for _ in range(rng.integers(6, 14)):
        corner, extent = rng.integers(0, count, 2) * pitch, rng.integers(2, 8, 2) * pitch
        low, high = corner.astype(int), (corner + extent).astype(int)
        for leg in np.arange(low[0] + pitch / 2, high[0], pitch):
            start, end = (int(leg), int(low[1] - pitch)), (int(leg), int(high[1] + pitch))
            cv2.line(image, start, end, metal, thick, cv2.LINE_AA)
        cv2.rectangle(image, low.tolist(), high.tolist(), (colours[0] * rng.uniform(0.3, 1.2)).tolist(), -1)
        cv2.rectangle(image, (low + 2).tolist(), (high - 2).tolist(), (colours[1] * 0.8).tolist(), 1)
    return shaded(image, 0.92 + 0.16 * fbm(rng, size, size, size / 6, 2))


def brush_strokes(rng: np.random.Generator, size: int) -> np.ndarray:
    """An impasto painting: hundreds of short strokes, large then small, that follow a flow."""
    colours = palette(rng, 7)
    tone, flow = fbm(rng, size, size, 3, 4), fbm(rng, size, size, 2, 2) * 8
    image = np.ascontiguousarray(ramp(colours, tone))
    for count, length in ((220, 0.13), (500, 0.07), (700, 0.035)):
        spots = rng.integers(0, size, (count, 2))
        values = np.clip(tone[spots[:, 1], spots[:, 0]] + rng.normal(0, 0.13, count), 0, 1)
        inks = ramp(colours, values[None])[0] * rng.uniform(0.85, 1.15, (count, 1))
        angles = flow[spots[:, 1], spots[:, 0]] + rng.normal(0, 0.25, count)
        reach = size * length * rng.uniform(0.5, 1.0, count)
        for spot, ink, angle, r in zip(spots, inks, angles, reach, strict=True):
            axes = (max(1, int(r)), max(1, int(r * 0.22)))
            cv2.ellipse(image, spot.tolist(), axes, float(np.rad2deg(angle)), 0, 360, ink.tolist(), -1, cv2.LINE_AA)
    return shaded(image, relief(image.mean(-1) + 0.25 * fbm(rng, size, size, size / 5, 2), 0.8))


def lettering(rng: np.random.Generator, size: int) -> np.ndarray:
    """Packaging: bold words and blocks of small print over a two-colour layout."""
    colours = palette(rng, 5)[rng.permutation(5)]
    x, y = grid(size, size)
    u, _ = turned(x, y, rng.uniform(0, np.pi))
    image = np.ascontiguousarray(
        mix(
            np.broadcast_to(colours[0], (size, size, 3)),
            colours[1],
            smoothstep(0, 0.01, u - u.mean() + 0.1 * np.sin(6 * y)),
        )
    )
    faces = [
        cv2.FONT_HERSHEY_DUPLEX,
        cv2.FONT_HERSHEY_COMPLEX,
        cv2.FONT_HERSHEY_TRIPLEX,
        cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    ]
    letters = np.array(list("ABCDEFGHIKLMNOPRSTUVWZ0123456789"))

    def write(words: str, spot: np.ndarray, scale: float, ink: np.ndarray) -> None:
        thick = max(1, round(scale * rng.uniform(1, 4)))
        face = faces[rng.integers(len(faces))]
        cv2.putText(image, words, spot.astype(int).tolist(), face, scale * size / 512, ink.tolist(), thick, cv2.LINE_AA)

    for _ in range(rng.integers(3, 6)):
        radius = int(size * rng.uniform(0.06, 0.2))
        cv2.circle(image, rng.integers(0, size, 2).tolist(), radius, colours[rng.integers(5)].tolist(), -1, cv2.LINE_AA)
    for _ in range(rng.integers(5, 10)):
        word = "".join(letters[rng.integers(0, len(letters), rng.integers(3, 8))])
        write(word, rng.uniform(-0.1, 0.9, 2) * size, rng.uniform(1.2, 4.0), colours[rng.integers(2, 5)])
    for _ in range(rng.integers(2, 5)):
        corner, ink = rng.uniform(0, 0.8, 2) * size, colours[rng.integers(2, 5)]
        for line in range(rng.integers(4, 9)):
            word = "".join(letters[rng.integers(0, len(letters), rng.integers(8, 16))])
            write(word, corner + (0, line * size * 0.035), 0.5, ink)
    return shaded(image, 0.9 + 0.25 * (fbm(rng, size, size, 3, 6, 0.6) - 0.3))


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Soft colour clouds with bands and sprayed grain, as on dyed cloth or anodised metal."""
    x, y = warped(rng, *grid(size, size), 2, rng.uniform(0.2, 0.8), 2)
    u, _ = turned(x, y, rng.uniform(0, np.pi))
    bands = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 3) * u)
    colours = palette(rng, 6)[rng.permutation(6)]
    image = ramp(colours, np.clip(bands + 0.12 * (fbm(rng, size, size, 60, 3, 0.8) - 0.5), 0, 1))
    speck = fbm(rng, size, size, size / 4, 2, 0.7) > rng.uniform(0.78, 0.9)
    return mix(image, colours[0], blurred(speck.astype(np.float32), 0.6) * 0.7)
