"""Backgrounds indoors: room, shelves, table-top clutter. float32 (H, W, 3) RGB in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from . import texture_materials, texture_patterns
from .collage import PAINTS, box, bump, cover, paste, stamp
from .landscape import below, finish, foliage, ground, ridge, sky
from .painting import blurred, fbm, grid, mix, palette, relief, shaded, smoothstep


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
        wall = mix(wall, cover(paper[rng.integers(5)](rng, 512), height, width), rng.uniform(0.15, 0.6))
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
        paste(canvas, np.full((8, 8, 3), 0.93, np.float32), box(x - 8, y - 8, x + wide + 8, y + tall + 8), 1.0, 0.4)
        panes = int(rng.integers(1, 4))
        for i in range(panes):
            for j in range(2):
                cell = box(
                    x + wide * i / panes + 3,
                    y + tall * j / 2 + 3,
                    x + wide * (i + 1) / panes - 3,
                    y + tall * (j + 1) / 2 - 3,
                )
                part = view[80 * j : 80 * (j + 1), 160 * i // panes : 160 * (i + 1) // panes]
                paste(canvas, np.ascontiguousarray(part), cell)
        if rng.random() < 0.6:
            cloth = cover(texture_patterns.stripes(rng, 96), 160, 60)
            fold = 0.75 + 0.25 * np.sin(np.linspace(0, 18, 60, dtype=np.float32))[None] * np.ones((160, 1), np.float32)
            for left in (x - wide * 0.2, x + wide * 0.9):
                paste(canvas, shaded(cloth, fold), box(left, y - 14, left + wide * 0.3, y + tall * 1.25), 1.0, 0.35)
    for _ in range(rng.integers(2, 6)):  # pictures
        wide, tall = width * rng.uniform(0.06, 0.18), height * rng.uniform(0.1, 0.26)
        x, y = rng.uniform(0, width - wide), rng.uniform(0.04, 0.4) * height
        frame = palette(rng, 3, ["wood", "stone", "earth"][rng.integers(3)])[rng.integers(3)]
        paste(canvas, np.broadcast_to(frame, (8, 8, 3)), box(x, y, x + wide, y + tall), 1.0, 0.5)
        inner = box(x + wide * 0.08, y + tall * 0.08, x + wide * 0.92, y + tall * 0.92)
        paste(canvas, PAINTS[rng.integers(len(PAINTS))](rng, 96), inner)
    grain = texture_materials.wood(rng, 192)
    for _ in range(rng.integers(1, 4)):  # cupboards, chests, sofas
        wide, tall = width * rng.uniform(0.14, 0.34), height * rng.uniform(0.18, 0.5)
        x, foot = rng.uniform(-0.1, 0.9) * width, line + height * rng.uniform(0.01, 0.12)
        soft = rng.random() < 0.35
        fabric = texture_patterns.plaid(rng, 128) if soft else grain * rng.uniform(0.6, 1.2)
        shade = np.linspace(1.1, 0.75, fabric.shape[0], dtype=np.float32)[:, None] * np.ones(
            fabric.shape[1], np.float32
        )
        paste(canvas, shaded(fabric, shade), box(x, foot - tall, x + wide, foot), 1.0, 0.6)
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
        stamp(
            canvas,
            leaves,
            box(x - size * 0.4, foot - size, x + size * 0.4, foot - size * 0.2),
            smoothstep(0.4, 0.46, fbm(rng, 96, 96, 9, 4) * bump(96)),
        )
        pot = np.array(
            [
                (x - size * 0.16, foot - size * 0.3),
                (x + size * 0.16, foot - size * 0.3),
                (x + size * 0.11, foot),
                (x - size * 0.11, foot),
            ]
        )
        paste(canvas, texture_materials.rust(rng, 64), pot, 1.0, 0.4)
    x, y = grid(height, width)
    spot = rng.uniform(0, 1, 2) * (1, 0.6)
    light = 0.75 + 0.45 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) * rng.uniform(1.5, 4))
    return finish(rng, shaded(canvas, light))


def shelves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A library, larder or shop: shelves packed with books, boxes, jars and bottles."""
    canvas = np.ascontiguousarray(cover(texture_materials.wood(rng, 256), height, width) * 0.35, dtype=np.float32)
    rows = int(rng.integers(3, 7))
    step = height / rows
    covers = [PAINTS[rng.integers(len(PAINTS))](rng, 128) for _ in range(6)]
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
                corners = box(x, foot - tall, x + wide * 0.96, foot) + np.array([(lean, 0), (lean, 0), (0, 0), (0, 0)])
                paste(canvas, body, corners, rng.uniform(0.85, 1.1), 0.5)
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
        paste(canvas, plank, box(-2, foot, width + 2, foot + step * 0.1), 1.0, 0.7)
        canvas[int(row * step) : int(row * step + step * 0.25)] *= np.linspace(
            0.5, 1, int(row * step + step * 0.25) - int(row * step), dtype=np.float32
        )[:, None, None]
    x, y = grid(height, width)
    light = 1.1 - rng.uniform(0, 0.8) * ((x - rng.uniform(0.2, 0.8)) ** 2 + (y - 0.3) ** 2)
    return finish(rng, blurred(shaded(canvas, light), rng.choice([0.0, 0.8, 1.6])))


def clutter(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A heap of textured sheets, discs and rods with cast shadows."""
    makers = [
        texture_materials.wood,
        texture_patterns.weave,
        texture_materials.marble,
        texture_patterns.plaid,
        texture_materials.fur,
    ]
    canvas = np.ascontiguousarray(cover(makers[rng.integers(5)](rng, 512), height, width), dtype=np.float32)
    stock = [PAINTS[i](rng, 128) for i in rng.permutation(len(PAINTS))[:5]]
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
            dome = smoothstep(0.0, 0.12, bump(96))
            ball = cv2.resize(part, (96, 96), interpolation=cv2.INTER_LINEAR)
            if rng.random() < 0.6:
                ball = shaded(ball, 0.3 + 0.75 * np.sqrt(bump(96) / 1.55) * relief(np.sqrt(bump(96)), 1.5, -2.2))
            low = spot - radius
            stamp(canvas, np.zeros_like(ball), box(*(low + 6), *(low + 2 * radius + 6)), blurred(dome, 4) * 0.45)
            stamp(canvas, ball, box(*low, *(low + 2 * radius)), dome)
        else:
            half = size / 2 * np.array([(-1, -aspect), (1, -aspect), (1, aspect), (-1, aspect)])
            light = np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), part.shape[1], dtype=np.float32)
            paste(
                canvas, part * light[None, :, None], spot + half @ axis + rng.normal(0, size * 0.05, (4, 2)), 1.0, 0.5
            )
    return finish(rng, canvas)
