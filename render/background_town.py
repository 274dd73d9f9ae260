"""Backgrounds that people built: city, street, room, wall, shelves, night lights, clutter. float32 (H, W, 3) RGB."""

from __future__ import annotations

import cv2
import numpy as np
from vosforge.render import texture_materials, texture_patterns
from vosforge.render.landscape import below, finish, foliage, ground, ridge, sky
from vosforge.render.painting import (
    blurred,
    fbm,
    grid,
    mix,
    noise,
    oklch_to_rgb,
    palette,
    ramp,
    relief,
    shaded,
    smoothstep,
)

_PAINTS = [
    texture_materials.marble,
    texture_materials.wood,
    texture_patterns.plaid,
    texture_patterns.stripes,
    texture_patterns.polka_dots,
    texture_patterns.mosaic,
    texture_patterns.lettering,
    texture_patterns.tiles,
    texture_patterns.brush_strokes,
    texture_materials.camouflage,
]


def _cover(texture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A square texture stretched over the larger side and cropped to (height, width)."""
    size = max(height, width)
    whole = cv2.resize(np.ascontiguousarray(texture, dtype=np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return whole[:height, :width]


def _paste(
    canvas: np.ndarray, picture: np.ndarray, corners: np.ndarray, light: float = 1.0, shadow: float = 0.0
) -> None:
    """Draws a picture into the quadrilateral `corners` (4, 2), clockwise from top left, with a soft shadow."""
    height, width = picture.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    low = np.floor(corners.min(0) - 24).astype(int).clip(0)
    high = np.ceil(corners.max(0) + 24).astype(int).clip(0, (canvas.shape[1], canvas.shape[0]))
    if (high - low).min() < 2:
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    matrix = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
    window = canvas[low[1] : high[1], low[0] : high[0]]
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    if shadow:
        shade = blurred(np.roll(mask, (6, 5), (0, 1)), 5)
        window *= (1 - shadow * shade)[..., None]
    drawn = cv2.warpPerspective(picture.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    window[:] = window * (1 - mask[..., None]) + drawn * light


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def _facade(rng: np.random.Generator, height: int, width: int, night: bool, floors: int, columns: int) -> np.ndarray:
    """The front of a building: walls, window bays with frames, sills, reflections or lit rooms."""
    colours = palette(rng, 4, ["stone", "clay", "earth", "pastel"][rng.integers(4)])
    wall = shaded(
        np.broadcast_to(colours[rng.integers(1, 4)], (height, width, 3)), 0.8 + 0.3 * fbm(rng, height, width, 6, 6, 0.6)
    )
    wall = np.ascontiguousarray(wall, dtype=np.float32) * np.float32(0.45 if night else 1)
    step_y, step_x = height / floors, width / columns
    inset_x, inset_y = rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.3)
    glass, trim, band = oklch_to_rgb(np.array([0.35, 0.03, 245.0])), colours[-1], rng.random() < 0.5
    for row in range(floors):
        if band:
            y = int(row * step_y)
            cv2.rectangle(wall, (0, y), (width, y + max(1, int(step_y * 0.08))), (trim * 0.85).tolist(), -1)
        for column in range(columns):
            low = np.array([(column + inset_x) * step_x, (row + inset_y) * step_y]).astype(int)
            high = np.array([(column + 1 - inset_x) * step_x, (row + 1 - inset_y) * step_y]).astype(int)
            lit = rng.random() < (0.45 if night else 0.06)
            pane = np.array([1.0, 0.85, 0.55]) * rng.uniform(0.6, 1.0) if lit else glass * rng.uniform(0.4, 1.7)
            cv2.rectangle(wall, (low - 1).tolist(), (high + 1).tolist(), (trim * 0.7).tolist(), -1)
            cv2.rectangle(wall, low.tolist(), high.tolist(), pane.tolist(), -1)
            if high[0] - low[0] > 8:
                slant = np.array([low, (high[0], low[1]), (low[0], high[1])])
                if not lit:
                    cv2.fillPoly(wall, [slant.astype(np.int32)], (pane * 1.25).tolist())
                middle = int((low[0] + high[0]) / 2)
                cv2.line(wall, (middle, int(low[1])), (middle, int(high[1])), (trim * 0.6).tolist(), 1)
                cv2.line(
                    wall,
                    (int(low[0]) - 1, int(high[1]) + 2),
                    (int(high[0]) + 1, int(high[1]) + 2),
                    (trim * 1.1).tolist(),
                    2,
                )
    return wall


def city(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A skyline of windowed towers in several depths, by day or night, perhaps over water."""
    picture, haze = sky(rng, height, width, height * 0.8)
    night = rng.random() < 0.35
    if night:
        picture, haze = picture * np.float32(0.25), haze * 0.3
    canvas = np.ascontiguousarray(picture, dtype=np.float32)
    base = height * rng.uniform(0.78, 1.05)
    for layer in range(3):
        near = (layer + 1) / 3
        fronts = [_facade(rng, 240, 120, night, int(rng.integers(8, 20)), int(rng.integers(3, 9))) for _ in range(4)]
        x = -width * 0.05
        while x < width:
            wide = width * rng.uniform(0.04, 0.1) * (0.5 + near)
            tall = height * rng.uniform(0.25, 0.75) * (1.1 - 0.35 * near)
            front = mix(fronts[rng.integers(4)] * rng.uniform(0.75, 1.15), haze, 0.75 * (1 - near)).astype(np.float32)
            _paste(canvas, front, _box(x, base - tall, x + wide, base))
            side = wide * rng.uniform(0.1, 0.3)
            flank = np.array(
                [
                    (x + wide, base - tall),
                    (x + wide + side, base - tall * 0.97),
                    (x + wide + side, base),
                    (x + wide, base),
                ]
            )
            _paste(canvas, front, flank, 0.6)
            roof = base - tall
            if rng.random() < 0.4:
                spire = (int(x + wide / 2), int(roof - tall * rng.uniform(0.05, 0.2)))
                cv2.line(canvas, (int(x + wide / 2), int(roof)), spire, front.mean((0, 1)).tolist(), 2, cv2.LINE_AA)
            x += (wide + side) * rng.uniform(0.9, 1.5 - 0.4 * near)
    if base < height:
        line = int(base)
        mirror = canvas[max(0, 2 * line - height) : line][::-1]
        rows = min(height - line, len(mirror))
        ripple = (6 * (noise(rng, rows, width, 60, 6.0) - 0.5) * np.linspace(0.5, 3, rows)[:, None]).astype(np.float32)
        column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(rows, dtype=np.float32))
        water = cv2.remap(
            np.ascontiguousarray(mirror[:rows]),
            column + ripple,
            row + ripple,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        canvas[line : line + rows] = mix(shaded(water, 0.7), haze * 0.4, 0.3)
    return finish(rng, canvas)


def street(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A road between two rows of house fronts that run to a vanishing point, with trees, cars and lamp posts."""
    horizon = height * rng.uniform(0.4, 0.55)
    vanish = np.array([width * rng.uniform(0.3, 0.7), horizon])
    picture, haze = sky(rng, height, width, horizon)
    road = shaded(
        ramp(palette(rng, 4, "stone")[:3], fbm(rng, 256, 256, 40, 4, 0.8)), 0.8 + 0.3 * fbm(rng, 256, 256, 4, 4)
    )
    road[:, 124:132] = np.where((np.arange(256) % 64 < 36)[:, None, None], 0.85, road[:, 124:132])
    road[:, [20, 21, 22, 234, 235, 236]] = 0.75
    floor, near = ground(road, height, width, horizon, 0.55, vanish[0] / width)
    picture = mix(picture, mix(floor, haze, 0.5 * (1 - near) ** 3), below(np.full(width, horizon, np.float32), height))
    canvas = np.ascontiguousarray(picture, dtype=np.float32)
    for side in (0, 1):
        edge = 0.0 if side == 0 else float(width)
        depth = 0.05
        pieces = []
        while depth < 0.9:
            reach = rng.uniform(0.1, 0.25) * (1.1 - depth)
            pieces.append((depth, min(depth + reach, 0.93), rng.uniform(0.9, 1.9), rng.uniform(0.7, 1.1)))
            depth += reach
        for start, end, tall, light in reversed(pieces):
            front = mix(
                _facade(rng, 220, 160, False, int(rng.integers(3, 7)), int(rng.integers(3, 7))), haze, 0.5 * start
            )
            outer = edge + (-0.25 if side == 0 else 0.25) * width
            xs = [outer + (vanish[0] - outer) * f**0.6 for f in (start, end)]
            tops = [horizon * (1 - tall * (1 - f**0.6)) for f in (start, end)]
            feet = [horizon + height * 0.4 * (1 - f**0.6) for f in (start, end)]
            corners = np.array([(xs[0], tops[0]), (xs[1], tops[1]), (xs[1], feet[1]), (xs[0], feet[0])])
            _paste(canvas, front.astype(np.float32), corners if side == 0 else corners[[1, 0, 3, 2]], light)
    for _ in range(rng.integers(3, 9)):
        depth, side = rng.uniform(0.15, 0.8), rng.choice([-1, 1])
        foot = vanish + ((0.42 * side * width) * (1 - depth), height * 0.42 * (1 - depth))
        size = height * 0.5 * (1 - depth)
        kind = rng.integers(3)
        if kind == 0:  # tree
            crown = _box(foot[0] - size * 0.35, foot[1] - size * 1.2, foot[0] + size * 0.35, foot[1] - size * 0.35)
            cv2.line(
                canvas,
                foot.astype(int).tolist(),
                (foot - (0, size * 0.6)).astype(int).tolist(),
                (0.25, 0.18, 0.12),
                max(1, int(size * 0.06)),
                cv2.LINE_AA,
            )
            leaves = foliage(rng, 96, 96, palette(rng, 4, "foliage"), 6)
            _stamp(canvas, leaves, crown, smoothstep(0.33, 0.45, fbm(rng, 96, 96, 6, 4) * _bump(96)))
        elif kind == 1:  # lamp post
            top = foot - (0, size * 1.1)
            cv2.line(
                canvas,
                foot.astype(int).tolist(),
                top.astype(int).tolist(),
                (0.12, 0.13, 0.14),
                max(1, int(size * 0.03)),
                cv2.LINE_AA,
            )
            cv2.circle(canvas, top.astype(int).tolist(), max(2, int(size * 0.06)), (0.95, 0.92, 0.8), -1, cv2.LINE_AA)
        else:  # parked car
            ink, s = palette(rng, 3)[1], size * 0.3
            body = foot + s * np.array(
                [(-1, 0), (-1, -0.45), (-0.6, -0.5), (-0.4, -0.9), (0.45, -0.9), (0.7, -0.5), (1, -0.42), (1, 0)]
            )
            cv2.fillPoly(canvas, [body.astype(np.int32)], ink.tolist(), cv2.LINE_AA)
            pane = foot + s * np.array([(-0.5, -0.5), (-0.33, -0.82), (0.38, -0.82), (0.58, -0.5)])
            cv2.fillPoly(canvas, [pane.astype(np.int32)], (0.15, 0.2, 0.25), cv2.LINE_AA)
            for wheel in (-0.6, 0.6):
                cv2.circle(
                    canvas,
                    (foot + (wheel * s, 0)).astype(int).tolist(),
                    max(1, int(s * 0.2)),
                    (0.06, 0.06, 0.07),
                    -1,
                    cv2.LINE_AA,
                )
    return finish(rng, canvas)


def _bump(size: int) -> np.ndarray:
    """A round hill in [0, 1.4], float32 (size, size): 0 at the rim."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return 1.4 * np.clip(1.1 - axis[:, None] ** 2 - axis[None] ** 2, 0, 1)


def _stamp(canvas: np.ndarray, picture: np.ndarray, corners: np.ndarray, mask: np.ndarray) -> None:
    """Draws a picture with its own mask into an upright box of the canvas."""
    low, high = corners.min(0).astype(int), corners.max(0).astype(int)
    size = (max(2, int(high[0] - low[0])), max(2, int(high[1] - low[1])))
    picture, mask = (
        cv2.resize(np.ascontiguousarray(a, dtype=np.float32), size, interpolation=cv2.INTER_LINEAR)
        for a in (picture, mask)
    )
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(low[0] + size[0], canvas.shape[1]), min(low[1] + size[1], canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = (slice(y0 - low[1], y1 - low[1]), slice(x0 - low[0], x1 - low[0]))
    canvas[y0:y1, x0:x1] = mix(canvas[y0:y1, x0:x1], picture[part], mask[part])


def room(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A room: papered wall, floor in perspective, skirting, pictures, a window, cupboards, a plant, soft light."""
    line = height * rng.uniform(0.6, 0.82)
    plain = palette(rng, 4, ["pastel", "earth", "stone", "sea", "foliage"][rng.integers(5)])[rng.integers(1, 4)]
    wall = shaded(np.broadcast_to(plain, (height, width, 3)), 0.94 + 0.1 * fbm(rng, height, width, 120, 2, 0.8))
    if rng.random() < 0.6:
        paper = [
            texture_patterns.stripes,
            texture_patterns.polka_dots,
            texture_patterns.plaid,
            texture_patterns.tiles,
            texture_patterns.bricks,
        ]
        wall = mix(wall, _cover(paper[rng.integers(5)](rng, 512), height, width), rng.uniform(0.15, 0.6))
    boards = [
        texture_materials.wood,
        texture_patterns.tiles,
        texture_materials.marble,
        texture_materials.fur,
        texture_materials.terrazzo,
    ]
    floor, near = ground(boards[rng.integers(5)](rng, 256), height, width, line - height * 0.35, rng.uniform(1.0, 2.5))
    picture = mix(wall, shaded(floor, 0.45 + 0.5 * near), below(np.full(width, line, np.float32), height))
    canvas = np.ascontiguousarray(picture, dtype=np.float32)
    board = palette(rng, 3, ["stone", "wood"][rng.integers(2)])[-1]
    deep = height * rng.uniform(0.02, 0.04)
    cv2.rectangle(canvas, (0, int(line - deep)), (width, int(line)), (board * 0.9).tolist(), -1)
    cv2.line(canvas, (0, int(line - deep)), (width, int(line - deep)), np.minimum(board * 1.2, 1).tolist(), 2)
    cv2.line(canvas, (0, int(line)), (width, int(line)), (board * 0.3).tolist(), 2)
    if rng.random() < 0.6:  # window with a view
        wide, tall = width * rng.uniform(0.15, 0.3), height * rng.uniform(0.3, 0.5)
        x, y = rng.uniform(0, width - wide), height * rng.uniform(0.04, 0.15)
        view, _ = sky(rng, 160, 160, 120)
        view = mix(
            view, foliage(rng, 160, 160, palette(rng, 4, "foliage"), 8), below(90 + 50 * ridge(rng, 160, 4), 160)
        )
        _paste(canvas, np.full((8, 8, 3), 0.93, np.float32), _box(x - 8, y - 8, x + wide + 8, y + tall + 8), 1.0, 0.4)
        panes = int(rng.integers(1, 4))
        for i in range(panes):
            for j in range(2):
                cell = _box(
                    x + wide * i / panes + 3,
                    y + tall * j / 2 + 3,
                    x + wide * (i + 1) / panes - 3,
                    y + tall * (j + 1) / 2 - 3,
                )
                part = view[80 * j : 80 * (j + 1), 160 * i // panes : 160 * (i + 1) // panes]
                _paste(canvas, np.ascontiguousarray(part), cell)
        if rng.random() < 0.6:
            cloth = _cover(texture_patterns.stripes(rng, 96), 160, 60)
            fold = 0.75 + 0.25 * np.sin(np.linspace(0, 18, 60, dtype=np.float32))[None] * np.ones((160, 1), np.float32)
            for left in (x - wide * 0.2, x + wide * 0.9):
                _paste(canvas, shaded(cloth, fold), _box(left, y - 14, left + wide * 0.3, y + tall * 1.25), 1.0, 0.35)
    for _ in range(rng.integers(2, 6)):  # pictures
        wide, tall = width * rng.uniform(0.06, 0.18), height * rng.uniform(0.1, 0.26)
        x, y = rng.uniform(0, width - wide), rng.uniform(0.04, 0.4) * height
        frame = palette(rng, 3, ["wood", "stone", "earth"][rng.integers(3)])[rng.integers(3)]
        _paste(canvas, np.broadcast_to(frame, (8, 8, 3)), _box(x, y, x + wide, y + tall), 1.0, 0.5)
        inner = _box(x + wide * 0.08, y + tall * 0.08, x + wide * 0.92, y + tall * 0.92)
        _paste(canvas, _PAINTS[rng.integers(len(_PAINTS))](rng, 96), inner)
    grain = texture_materials.wood(rng, 192)
    for _ in range(rng.integers(1, 4)):  # cupboards, chests, sofas
        wide, tall = width * rng.uniform(0.14, 0.34), height * rng.uniform(0.18, 0.5)
        x, foot = rng.uniform(-0.1, 0.9) * width, line + height * rng.uniform(0.01, 0.12)
        soft = rng.random() < 0.35
        cover = texture_patterns.plaid(rng, 128) if soft else grain * rng.uniform(0.6, 1.2)
        shade = np.linspace(1.1, 0.75, cover.shape[0], dtype=np.float32)[:, None] * np.ones(cover.shape[1], np.float32)
        _paste(canvas, shaded(cover, shade), _box(x, foot - tall, x + wide, foot), 1.0, 0.6)
        rows, columns = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        for i in range(rows):
            for j in range(columns):
                low = (int(x + wide * (j + 0.06) / columns), int(foot - tall + tall * (i + 0.08) / rows))
                high = (int(x + wide * (j + 0.94) / columns), int(foot - tall + tall * (i + 0.92) / rows))
                cv2.rectangle(canvas, low, high, (0.12, 0.09, 0.07), 1 if soft else 2, cv2.LINE_AA)
                if not soft:
                    cv2.circle(
                        canvas,
                        (int((low[0] + high[0]) / 2), int(low[1] * 0.7 + high[1] * 0.3)),
                        max(2, int(height * 0.006)),
                        (0.8, 0.75, 0.6),
                        -1,
                        cv2.LINE_AA,
                    )
    if rng.random() < 0.6:  # plant
        size, x = height * rng.uniform(0.25, 0.5), rng.uniform(0.05, 0.95) * width
        foot = line + height * rng.uniform(0.05, 0.15)
        leaves = foliage(rng, 96, 96, palette(rng, 4, "foliage"), 7)
        _stamp(
            canvas,
            leaves,
            _box(x - size * 0.4, foot - size, x + size * 0.4, foot - size * 0.2),
            smoothstep(0.4, 0.46, fbm(rng, 96, 96, 9, 4) * _bump(96)),
        )
        pot = np.array(
            [
                (x - size * 0.16, foot - size * 0.3),
                (x + size * 0.16, foot - size * 0.3),
                (x + size * 0.11, foot),
                (x - size * 0.11, foot),
            ]
        )
        _paste(canvas, texture_materials.rust(rng, 64), pot, 1.0, 0.4)
    x, y = grid(height, width)
    spot = rng.uniform(0, 1, 2) * (1, 0.6)
    light = 0.75 + 0.45 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) * rng.uniform(1.5, 4))
    return finish(rng, shaded(canvas, light))


def wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Masonry, planks or peeling plaster in raking light, with posters, pipes, windows and shadows."""
    makers = [
        texture_patterns.bricks,
        texture_patterns.bricks,
        texture_materials.cracked_earth,
        texture_materials.wood,
        texture_materials.rust,
        texture_patterns.tiles,
    ]
    surface = _cover(makers[rng.integers(6)](rng, 640), height, width)
    plaster = fbm(rng, height, width, 3, 7, 0.6)
    coat = shaded(
        np.broadcast_to(palette(rng, 3, ["pastel", "earth", "stone"][rng.integers(3)])[2], surface.shape),
        0.75 + 0.3 * fbm(rng, height, width, 8, 6, 0.6),
    )
    level = rng.uniform(0.5, 0.8)
    surface = mix(surface, coat[..., :] * 0.5, smoothstep(level - 0.02, level, plaster))
    canvas = np.ascontiguousarray(mix(surface, coat, smoothstep(level, level + 0.01, plaster)), dtype=np.float32)
    for _ in range(rng.integers(1, 6)):  # posters
        wide, tall = width * rng.uniform(0.08, 0.2), height * rng.uniform(0.15, 0.35)
        x, y = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
        corners = _box(x, y, x + wide, y + tall) + rng.normal(0, height * 0.008, (4, 2))
        paper = (
            texture_patterns.lettering(rng, 128)
            if rng.random() < 0.6
            else _PAINTS[rng.integers(len(_PAINTS))](rng, 128)
        )
        _paste(canvas, mix(paper, np.float32(0.8), 0.2), corners, rng.uniform(0.7, 1.0), 0.4)
    for _ in range(rng.integers(0, 3)):  # windows or doors
        wide, tall = width * rng.uniform(0.1, 0.2), height * rng.uniform(0.25, 0.6)
        x, y = rng.uniform(0, width - wide), rng.uniform(0.1, 0.6) * height
        _paste(
            canvas,
            _facade(rng, 160, 120, False, int(rng.integers(1, 3)), int(rng.integers(1, 3))),
            _box(x, y, x + wide, y + tall),
            0.9,
            0.5,
        )
    for _ in range(rng.integers(0, 4)):  # pipes and cables
        x, thick = rng.uniform(0, width), max(2, int(height * rng.uniform(0.005, 0.03)))
        ink = palette(rng, 3, "stone")
        for offset, colour in ((thick // 2 + 3, canvas.mean((0, 1)) * 0.3), (0, ink[1]), (-thick // 4, ink[2])):
            wide = thick if offset >= 0 else max(1, thick // 4)
            cv2.line(canvas, (int(x + offset), 0), (int(x + offset), height), colour.tolist(), wide, cv2.LINE_AA)
    x, y = grid(height, width)
    slope = rng.normal(0, 0.35, 2)
    light = 0.9 + slope[0] * (x - 0.5) + slope[1] * (y - 0.35)
    leaves = smoothstep(0.48, 0.55, fbm(rng, height, width, 6, 4, 0.55))
    return finish(rng, shaded(canvas, light * (1 - rng.uniform(0, 0.5) * blurred(leaves, height / 120))))


def shelves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A library, larder or shop: shelves packed with books, boxes, jars and bottles."""
    canvas = np.ascontiguousarray(_cover(texture_materials.wood(rng, 256), height, width) * 0.35, dtype=np.float32)
    rows = int(rng.integers(3, 7))
    step = height / rows
    covers = [_PAINTS[rng.integers(len(_PAINTS))](rng, 128) for _ in range(6)]
    plank = texture_materials.wood(rng, 192)
    for row in range(rows):
        foot, x = (row + 1) * step - step * 0.1, rng.uniform(0, 8)
        books = rng.random() < 0.5
        while x < width:
            wide = step * (rng.uniform(0.07, 0.2) if books else rng.uniform(0.22, 0.6))
            tall = step * rng.uniform(0.5, 0.86)
            count = 1 if books else int(rng.integers(1, 4))
            ink = palette(rng, 3)
            cut = rng.integers(0, 64, 2)
            part = covers[rng.integers(6)][cut[0] : cut[0] + 64, cut[1] : cut[1] + max(4, int(64 * wide / tall))]
            body = mix(np.broadcast_to(ink[1], part.shape), part, rng.uniform(0.1, 0.9))
            turn = np.linspace(-1, 1, part.shape[1], dtype=np.float32)[None] * np.ones((part.shape[0], 1), np.float32)
            body = shaded(body, np.clip(1.05 - 0.55 * turn**2, 0, 1.1))
            for _ in range(count):
                if x > width:
                    break
                lean = rng.normal(0, 0.04) * tall if books else 0
                corners = _box(x, foot - tall, x + wide * 0.96, foot) + np.array([(lean, 0), (lean, 0), (0, 0), (0, 0)])
                _paste(canvas, body, corners, rng.uniform(0.85, 1.1), 0.5)
                if not books and count > 1:
                    cv2.ellipse(
                        canvas,
                        (int(x + wide * 0.48), int(foot - tall)),
                        (int(wide * 0.4), max(2, int(wide * 0.1))),
                        0,
                        0,
                        360,
                        ink[0].tolist(),
                        -1,
                        cv2.LINE_AA,
                    )
                x += wide
            x += step * (0.3 if rng.random() < 0.06 else 0.01)
        _paste(canvas, plank, _box(-2, foot, width + 2, foot + step * 0.1), 1.0, 0.7)
        canvas[int(row * step) : int(row * step + step * 0.25)] *= np.linspace(
            0.5, 1, int(row * step + step * 0.25) - int(row * step), dtype=np.float32
        )[:, None, None]
    x, y = grid(height, width)
    light = 1.1 - rng.uniform(0, 0.8) * ((x - rng.uniform(0.2, 0.8)) ** 2 + (y - 0.3) ** 2)
    return finish(rng, blurred(shaded(canvas, light), rng.choice([0.0, 0.8, 1.6])))


def bokeh(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Night or party lights out of focus: discs of several depths over blurred darkness."""
    colours = palette(rng, 4, ["dusk", "sea", "earth", "autumn"][rng.integers(4)])
    field = fbm(rng, height, width, 4, 5)
    canvas = np.ascontiguousarray(ramp(colours, field) * np.float32(rng.uniform(0.2, 0.5)), dtype=np.float32)
    for _ in range(rng.integers(4, 14)):
        x, wide = rng.uniform(0, width), width * rng.uniform(0.03, 0.15)
        cv2.rectangle(
            canvas,
            (int(x), int(height * rng.uniform(0.1, 0.7))),
            (int(x + wide), height),
            (palette(rng, 3)[0] * 0.4).tolist(),
            -1,
        )
    canvas = blurred(canvas, height / 50)
    lamps = oklch_to_rgb(
        np.array(
            [(0.85, 0.13, 75), (0.9, 0.05, 90), (0.7, 0.16, 35), (0.75, 0.12, 150), (0.7, 0.13, 250), (0.7, 0.15, 340)]
        )
    )
    weights = rng.dirichlet([1.2] * 6)
    sides = int(rng.choice([0, 6, 7]))
    for layer in range(4):
        light = np.zeros_like(canvas)
        size = height * (0.012, 0.03, 0.055, 0.09)[layer] * rng.uniform(0.7, 1.3)
        band = height * rng.uniform(0.25, 0.75)
        for _ in range((70, 45, 22, 8)[layer]):
            spot = np.array([rng.uniform(0, width), band + rng.normal(0, height * 0.2)])
            lamp = lamps[rng.choice(6, p=weights)] * rng.uniform(0.15, 0.8)
            radius = size * rng.uniform(0.7, 1.2)
            angle = np.arange(sides or 24) * 2 * np.pi / (sides or 24)
            rim = (spot + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.int32)
            cv2.fillPoly(light, [rim], lamp.tolist(), cv2.LINE_AA)
            cv2.polylines(
                light, [rim], True, np.minimum(lamp * 1.5, 1).tolist(), max(1, int(radius * 0.08)), cv2.LINE_AA
            )
        canvas = 1 - (1 - np.clip(canvas, 0, 1)) * (1 - np.clip(blurred(light, 0.6 + size * 0.04), 0, 1) * 0.75)
    return finish(rng, canvas)


def clutter(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A heap of textured sheets, discs and rods with cast shadows."""
    makers = [
        texture_materials.wood,
        texture_patterns.weave,
        texture_materials.marble,
        texture_patterns.plaid,
        texture_materials.fur,
    ]
    canvas = np.ascontiguousarray(_cover(makers[rng.integers(5)](rng, 512), height, width), dtype=np.float32)
    stock = [_PAINTS[i](rng, 128) for i in rng.permutation(len(_PAINTS))[:5]]
    for i in range(rng.integers(20, 36)):
        size = height * rng.uniform(0.12, 0.5) * (1.2 - 0.02 * i)
        spot = rng.uniform(0, 1, 2) * (width, height)
        turn = rng.uniform(0, 2 * np.pi)
        axis = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
        aspect = rng.uniform(0.15, 1.0)
        cut = rng.integers(0, 48, 2)
        part = np.ascontiguousarray(stock[rng.integers(5)][cut[0] : cut[0] + 80, cut[1] : cut[1] + 80])
        part = mix(part, palette(rng, 3)[rng.integers(3)], rng.uniform(0, 0.6)).astype(np.float32)
        if rng.random() < 0.45:
            radius = max(4, int(size / 2))
            bump = smoothstep(0.0, 0.12, _bump(96))
            ball = cv2.resize(part, (96, 96), interpolation=cv2.INTER_LINEAR)
            if rng.random() < 0.6:
                ball = shaded(ball, 0.3 + 0.75 * np.sqrt(_bump(96) / 1.55) * relief(np.sqrt(_bump(96)), 1.5, -2.2))
            low = spot - radius
            _stamp(canvas, np.zeros_like(ball), _box(*(low + 6), *(low + 2 * radius + 6)), blurred(bump, 4) * 0.45)
            _stamp(canvas, ball, _box(*low, *(low + 2 * radius)), bump)
        else:
            half = size / 2 * np.array([(-1, -aspect), (1, -aspect), (1, aspect), (-1, aspect)])
            light = np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), part.shape[1], dtype=np.float32)
            _paste(
                canvas, part * light[None, :, None], spot + half @ axis + rng.normal(0, size * 0.05, (4, 2)), 1.0, 0.5
            )
    return finish(rng, canvas)
