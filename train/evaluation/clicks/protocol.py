"""The number-of-clicks protocol: a simulated user clicks on what is wrong until the mask is good or clicks run out.

As in the published evaluations of f-BRS (Sofiiuk et al., CVPR 2020) and RITM (Sofiiuk et al., 2021): the mask is empty
at first, one click at a time, at most 20, intersection over union without ignored pixels.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ....datagen.simulation.clicks.clicks import Click, corrective_clicks
from ....datagen.simulation.clicks.next_click import next_click
from ..metrics import region_similarity
from .objects import ClickObject

Strategy = Literal["farthest-point", "random"]
STRATEGIES: tuple[Strategy, ...] = ("farthest-point", "random")
MAX_CLICKS = 20
SHOWN_CLICKS = (1, 3, 10)
"""Masks after so many clicks are kept, beside the last."""

ClickMethod = Callable[[np.ndarray, np.ndarray, Sequence[Click]], np.ndarray]
"""(rgb uint8 (H, W, 3), mask that is to be corrected bool (H, W), clicks) -> mask bool (H, W)."""


@dataclass(frozen=True, kw_only=True)
class ClicksSettings:
    """targets: shares of intersection over union, the last one ends an object unless `all_clicks`. seed: of "random".

    start: the mask that a method is given beside the clicks, "present" for its last answer, "empty" for none at all.
    clicks: which it is given, "all" so far or the "last" one. As in RITM: present and all. As a session that commits
    after every click: present and last. As one that never commits: empty and all.
    """

    targets: tuple[float, ...] = (0.85, 0.9)
    max_clicks: int = MAX_CLICKS
    start: Literal["present", "empty"] = "present"
    clicks: Literal["all", "last"] = "all"
    all_clicks: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.targets or not all(0 < target <= 1 for target in self.targets):
            raise ValueError(f"targets are {self.targets}; give shares of 1, such as 0.85 and 0.9")
        if self.max_clicks < 1:
            raise ValueError(f"max_clicks is {self.max_clicks}; give 1 or more")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")
        for name, allowed in (("start", ("present", "empty")), ("clicks", ("all", "last"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose {' or '.join(map(repr, allowed))}")
        if (self.start, self.clicks) == ("empty", "last"):
            raise ValueError("start 'empty' with clicks 'last' forgets all that was clicked; choose one of the others")


@dataclass(frozen=True, kw_only=True, eq=False)
class ClickRun:
    """What became of one object: the clicks, the IoU after each, and the seconds that the method took for each.

    masks: number of clicks -> the mask after them, bool (H, W), for `shown_clicks`; empty where files hold them.
    """

    picture: str
    object_id: int
    area: int
    clicks: tuple[Click, ...]
    ious: tuple[float, ...]
    seconds: tuple[float, ...]
    masks: Mapping[int, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As that of the object."""
        return f"{self.picture}:{self.object_id}"

    @property
    def shown_clicks(self) -> tuple[int, ...]:
        """The numbers of clicks whose masks are kept, ascending: `SHOWN_CLICKS` and the last."""
        last = len(self.clicks)
        return (*(number for number in SHOWN_CLICKS if number < last), last)


def click_until_good(method: ClickMethod, one: ClickObject, strategy: Strategy, settings: ClicksSettings) -> ClickRun:
    """Click on an object and let the method answer, until the last target is reached or nothing is left to click on."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(zlib.crc32(one.name.encode()),)))
    present = empty = np.zeros_like(one.truth)
    clicks, ious, seconds, masks = [], [], [], {}
    while len(clicks) < settings.max_clicks:
        click = _CHOOSE[strategy](rng, one, present, clicks)
        if click is None:
            break
        clicks.append(click)
        started = time.perf_counter()
        start = present if settings.start == "present" else empty
        present = method(one.rgb, start, clicks if settings.clicks == "all" else clicks[-1:])
        seconds.append(time.perf_counter() - started)
        ious.append(intersection_over_union(one, present))
        masks[len(clicks)] = present
        if ious[-1] >= max(settings.targets) and not settings.all_clicks:
            break
    run = ClickRun(
        picture=one.picture,
        object_id=one.object_id,
        area=int(np.count_nonzero(one.truth)),
        clicks=tuple(clicks),
        ious=tuple(ious),
        seconds=tuple(seconds),
    )
    return replace(run, masks={number: masks[number] for number in run.shown_clicks})


def intersection_over_union(one: ClickObject, mask: np.ndarray) -> float:
    """J of a mask, bool (H, W), without the ignored pixels."""
    return region_similarity(one.truth & ~one.ignored, mask & ~one.ignored)


def _farthest_point(
    rng: np.random.Generator, one: ClickObject, present: np.ndarray, clicks: Sequence[Click]
) -> Click | None:
    """The published one: the point of the larger error that is farthest from the error's boundary."""
    return next_click(one.truth, present, clicks, one.ignored)


def _random(rng: np.random.Generator, one: ClickObject, present: np.ndarray, clicks: Sequence[Click]) -> Click | None:
    """Any pixel that is wrong, each with the same chance, that was not clicked before."""
    free = ~one.ignored
    for click in clicks:
        free[click.pixel] = False
    found = corrective_clicks(rng, one.truth & free, present & free, num=1)
    return found[0] if found else None


_CHOOSE = {"farthest-point": _farthest_point, "random": _random}
