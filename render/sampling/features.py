"""Features beyond BL30K: which of them a clip or an object has, and a random stream for each."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import numpy as np

from ..randomness import ClipRandomness, Stream, stream

if TYPE_CHECKING:
    from ..recipes import RecipeSettings

MOST_OBJECTS = 16
"""Choices drawn for each feature: one for each object that a clip can hold."""


class Feature(enum.IntEnum):
    """A feature with a probability of its own: the setting `<name>_probability`, in lower case.

    Numbers are part of the corpus format: never renumber, append only.
    """

    HDRI = 0
    ENVIRONMENT_BACKGROUND = 1
    LIT_BACKGROUND = 2
    PBR = 3
    LATTICE = 4
    ARTICULATION = 5
    ANIMATION = 6
    ENTERING = 7
    LEAVING = 8
    CROSSING = 9
    SHAKE = 10
    ZOOM = 11
    PAN = 12
    MOTION_BLUR = 13
    DEPTH_OF_FIELD = 14
    PHYSICS = 15
    DISTRACTOR = 16


class Features:
    """The features of one clip.

    The choice depends on (seed, index) and not on the attempt, so that a feature that is rejected more often is not
    seen more rarely than its probability says. Each feature draws its parameters from a stream of its own: switching
    one on or off changes no draw of another and none of the base scene.
    """

    def __init__(self, rng: ClipRandomness, settings: RecipeSettings) -> None:
        self._clip, self._settings = rng, settings
        self._choices = rng.lasting_stream(Stream.FEATURE_CHOICE).random((len(Feature), MOST_OBJECTS))

    def chosen(self, feature: Feature, slot: int = 0) -> bool:
        """Whether the clip has a feature; for a feature of objects, whether the object at `slot` has it."""
        probability = getattr(self._settings, f"{feature.name.lower()}_probability")
        return bool(self._choices[feature, slot] < probability)

    def rng(self, feature: Feature, slot: int = 0) -> np.random.Generator:
        """A fresh generator for the parameters of a feature, and of the object at `slot` where each has its own."""
        return stream(self._clip.seed, Stream.FEATURES, self._clip.index, self._clip.attempt, int(feature), slot)
