"""The procedural models: every family by name, and `build_shape` that draws one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .shape_assemblies import aeroplane, chair, house, lamp, table, vehicle
from .shape_curves import coral, leaf, ribbon, spring, torus_knot, tree
from .shape_fields import animal, boolean_solid, cactus, figure, fish, metaballs
from .shape_lathed import bowl, chess_piece, vase
from .shape_mesh import Modifier, Shape
from .shape_plates import gear, heart, letter, star
from .shape_solids import bevelled_box, boulder, polyhedron, supershape, twisted_prism, wireframe_solid

__all__ = ["SHAPE_FAMILIES", "Modifier", "Shape", "build_shape"]


def monkey(rng: np.random.Generator) -> Shape:
    """Blender's Suzanne, subdivided, sometimes stretched in its own way by a taper, twist or bend."""
    modifiers = [Modifier(type="SUBSURF", settings={"levels": 1, "render_levels": 1})]
    method = ["TAPER", "TWIST", "STRETCH"][rng.integers(3)]
    factor = float(rng.uniform(-0.25, 0.25) if method == "STRETCH" else rng.uniform(-0.6, 0.6))
    if method == "TWIST":
        settings = {"deform_method": method, "angle": factor, "deform_axis": "Z"}
    else:
        settings = {"deform_method": method, "factor": factor, "deform_axis": "Z"}
    modifiers.append(Modifier(type="SIMPLE_DEFORM", settings=settings))
    return Shape(vertices=np.zeros((0, 3)), faces=[], primitive="monkey", modifiers=tuple(modifiers))


SHAPE_FAMILIES: dict[str, Callable[[np.random.Generator], Shape]] = {
    family.__name__: family
    for family in (
        aeroplane,
        animal,
        bevelled_box,
        boolean_solid,
        boulder,
        bowl,
        cactus,
        chair,
        chess_piece,
        coral,
        figure,
        fish,
        gear,
        heart,
        house,
        lamp,
        leaf,
        letter,
        metaballs,
        monkey,
        polyhedron,
        ribbon,
        spring,
        star,
        supershape,
        table,
        torus_knot,
        tree,
        twisted_prism,
        vase,
        vehicle,
        wireframe_solid,
    )
}


def build_shape(family: str, rng: np.random.Generator) -> Shape:
    """One model of a family; the same generator state gives the same bytes.

    Returns a Shape whose bounding box (before modifiers) is centred at the origin with diagonal 1, at most
    15,000 faces. Raises ValueError for an unknown family.
    """
    if family not in SHAPE_FAMILIES:
        raise ValueError(f"unknown shape family {family!r}; choose one of {', '.join(SHAPE_FAMILIES)}")
    return SHAPE_FAMILIES[family](rng)
