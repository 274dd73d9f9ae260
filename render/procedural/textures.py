"""The procedural textures and backgrounds: every family by name, `paint_texture` and `paint_background`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import background_indoor, background_nature, background_town, texture_materials, texture_patterns
from .painting import to_bytes

TEXTURE_FAMILIES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "bark": texture_materials.bark,
    "bricks": texture_patterns.bricks,
    "brush_strokes": texture_patterns.brush_strokes,
    "camouflage": texture_materials.camouflage,
    "circuit": texture_patterns.circuit,
    "cracked_earth": texture_materials.cracked_earth,
    "fur": texture_materials.fur,
    "gradient": texture_patterns.gradient,
    "leopard": texture_materials.leopard,
    "lettering": texture_patterns.lettering,
    "marble": texture_materials.marble,
    "mosaic": texture_patterns.mosaic,
    "pebbles": texture_materials.pebbles,
    "plaid": texture_patterns.plaid,
    "polka_dots": texture_patterns.polka_dots,
    "rust": texture_materials.rust,
    "scales": texture_patterns.scales,
    "stripes": texture_patterns.stripes,
    "terrazzo": texture_materials.terrazzo,
    "tiles": texture_patterns.tiles,
    "weave": texture_patterns.weave,
    "wood": texture_materials.wood,
    "zebra": texture_materials.zebra,
}

BACKGROUND_FAMILIES: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "bokeh": background_town.bokeh,
    "city": background_town.city,
    "clutter": background_indoor.clutter,
    "desert": background_nature.desert,
    "forest": background_nature.forest,
    "grassland": background_nature.grassland,
    "hills": background_nature.hills,
    "room": background_indoor.room,
    "sea": background_nature.sea,
    "shelves": background_indoor.shelves,
    "street": background_town.street,
    "underwater": background_nature.underwater,
    "wall": background_town.wall,
}

MIN_SIDE = 16


def _check(kind: str, family: str, families: dict, *sides: int) -> None:
    if family not in families:
        raise ValueError(f"unknown {kind} family {family!r}; choose one of {', '.join(families)}")
    if min(sides) < MIN_SIDE:
        raise ValueError(
            f"a {kind} of {' x '.join(map(str, sides))} pixels is too small; each side needs {MIN_SIDE} or more"
        )


def paint_texture(family: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """One texture of a family, uint8 (size, size, 3) RGB; the same generator state gives the same bytes.

    Raises ValueError for an unknown family or a size below 16 pixels.
    """
    _check("texture", family, TEXTURE_FAMILIES, size)
    return to_bytes(TEXTURE_FAMILIES[family](rng, size))


def paint_background(family: str, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """One background picture of a family, uint8 (height, width, 3) RGB; the same generator state gives the same bytes.

    Raises ValueError for an unknown family or a side below 16 pixels.
    """
    _check("background", family, BACKGROUND_FAMILIES, width, height)
    return to_bytes(BACKGROUND_FAMILIES[family](rng, height, width))
