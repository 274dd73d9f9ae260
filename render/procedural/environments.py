"""The procedural environments: every family by name, and `paint_environment`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import environment_indoor, environment_outdoor

ENVIRONMENT_FAMILIES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "clear_sky": environment_outdoor.clear_sky,
    "cloudy_sky": environment_outdoor.cloudy_sky,
    "courtyard": environment_outdoor.courtyard,
    "forest": environment_outdoor.forest,
    "living_room": environment_indoor.living_room,
    "night_street": environment_outdoor.night_street,
    "overcast": environment_outdoor.overcast,
    "studio": environment_indoor.studio,
    "sunset": environment_outdoor.sunset,
    "warehouse": environment_indoor.warehouse,
}

MIN_HEIGHT = 16


def paint_environment(family: str, rng: np.random.Generator, height: int) -> np.ndarray:
    """One environment of a family as an equirectangular map of linear radiance, float32 (height, 2 * height, 3).

    Row 0 is straight up, the left and right edges meet. Radiances have no common unit between families: a renderer
    scales a map by its mean. The same generator state gives the same bytes. Raises ValueError for an unknown family or
    a height below 16 pixels.
    """
    if family not in ENVIRONMENT_FAMILIES:
        raise ValueError(f"unknown environment family {family!r}; choose one of {', '.join(ENVIRONMENT_FAMILIES)}")
    if height < MIN_HEIGHT:
        raise ValueError(f"an environment of {height} rows is too small; it needs {MIN_HEIGHT} or more")
    radiance = ENVIRONMENT_FAMILIES[family](rng, height)
    return np.ascontiguousarray(np.maximum(radiance, 1e-4), dtype=np.float32)
