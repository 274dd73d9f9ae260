"""How an object's shape changes: its animation, its bones, or a lattice around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..assets.pool import AssetPool
from ..scene import AssetReference, DeformationSpec
from .features import Feature, Features
from .paths import as_points

if TYPE_CHECKING:
    from ..recipes import RecipeSettings

LATTICE_POINTS = 27


def draw_deformation(
    features: Features, assets: AssetPool, model: AssetReference, slot: int, settings: RecipeSettings
) -> DeformationSpec | None:
    """The deformation of the object at `slot`, None for a rigid one.

    A model that brings an animation plays it, one with a rig and no animation turns its bones, any other bends in a
    lattice; each with its own probability, and the next one's chance where it is not chosen.
    """
    asset = assets.asset(model)
    animated, rigged = (asset is not None and getattr(asset, name, False) for name in ("animated", "rigged"))
    if animated and features.chosen(Feature.ANIMATION, slot):
        rng = features.rng(Feature.ANIMATION, slot)
        cycles = 1.0 / rng.uniform(*settings.animation_frames_per_cycle)
        return DeformationSpec(kind="animation", cycles_per_frame=float(cycles), phase=float(rng.random()))
    if rigged and features.chosen(Feature.ARTICULATION, slot):
        rng = features.rng(Feature.ARTICULATION, slot)
        return DeformationSpec(
            kind="articulated",
            amplitude_radians=float(rng.uniform(*settings.articulation_radians)),
            cycles_per_frame=float(1.0 / rng.uniform(*settings.articulation_frames_per_cycle)),
            phase=float(rng.random()),
        )
    if features.chosen(Feature.LATTICE, slot):
        return _draw_lattice(features.rng(Feature.LATTICE, slot), settings)
    return None


def _draw_lattice(rng: np.random.Generator, settings: RecipeSettings) -> DeformationSpec:
    """Offsets of the lattice points at each control time; they move the shape, not the object: their mean is zero."""
    amplitude = rng.uniform(*settings.lattice_amplitude)
    offsets = rng.normal(0.0, amplitude, size=(settings.degree + 1, LATTICE_POINTS, 3))
    offsets = np.clip(offsets, -2.0 * amplitude, 2.0 * amplitude)
    offsets -= offsets.mean(axis=1, keepdims=True)
    return DeformationSpec(kind="lattice", lattice=tuple(as_points(entry) for entry in offsets))
