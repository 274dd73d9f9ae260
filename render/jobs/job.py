"""What a render job is: everything that decides the bytes of a corpus, and the limits under which it is made."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...datagen.writing.writer import CorpusDescription
from ..assets.pool import AssetPool
from ..process.child import WORKER
from ..randomness import ClipRandomness
from ..recipes import RecipeSettings, sample_scene
from ..scene import SceneSpec

RENDER_VERSION = 3
"""Raised whenever the same settings, assets and seed give other bytes than before."""


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """Everything a worker needs to make any clip of a corpus.

    root: folder or fsspec URL of the corpus, reachable from every node.
    clip_limit_seconds, memory_limit_bytes: limits of one Blender process (0 bytes: none). asset_limit_seconds: limit of
    the process in which one asset of a failed clip is tried alone.
    child_retries: repeats of one attempt after a failure. clip_retries: how often a clip that failed by a crash, memory
    or GPU is handed out again, perhaps to another node.
    poison: {asset name: reason}, assets to pass over from the start, beside those in the journal of the corpus.
    worker: module that is run for a clip.
    """

    root: str
    name: str
    seed: int
    num_clips: int
    settings: RecipeSettings
    assets: AssetPool
    clips_per_shard: int = 8
    val_every: int = 10
    max_attempts: int = 20
    child_retries: int = 1
    clip_retries: int = 1
    clip_limit_seconds: float = 3600.0
    asset_limit_seconds: float = 300.0
    memory_limit_bytes: int = 0
    poison: Mapping[str, str] = field(default_factory=dict)
    worker: str = WORKER

    def __post_init__(self) -> None:
        # Workers on other nodes have another current directory.
        root = str(self.root)
        object.__setattr__(self, "root", root if "://" in root else str(Path(root).resolve()))
        for name, least in (("max_attempts", 1), ("child_retries", 0), ("clip_retries", 0), ("memory_limit_bytes", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")
        for name in ("clip_limit_seconds", "asset_limit_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be above 0")

    def description(self) -> CorpusDescription:
        """What the corpus is: equal descriptions and equal poison ledgers give equal bytes on one class of CPU."""
        parameters = _flatten(dataclasses.asdict(self.settings))
        parameters.pop("render.threads")
        parameters |= {
            "assets": self.assets.fingerprint(),
            "blender": _blender_version(),
            "max_attempts": self.max_attempts,
        }
        return CorpusDescription(
            name=self.name,
            recipe=self.settings.name,
            parameters=parameters,
            seed=self.seed,
            num_clips=self.num_clips,
            clips_per_shard=self.clips_per_shard,
            val_every=self.val_every,
            code_version=f"{importlib.metadata.version('vosforge')}+render.{RENDER_VERSION}",
        )

    def draw(self, index: int, attempt: int, poisoned: frozenset[str] = frozenset()) -> SceneSpec:
        """Draw the scene of one attempt at one clip, the poisoned assets passed over. Raises RejectedScene."""
        rng = ClipRandomness.of_clip(seed=self.seed, index=index, attempt=attempt, val_every=self.val_every)
        return sample_scene(rng, self.pool(poisoned), self.settings)

    def pool(self, poisoned: frozenset[str]) -> AssetPool:
        """The assets with those poisoned passed over."""
        return dataclasses.replace(self.assets, poisoned=poisoned)


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """How a run ended: clips made now and there already, why others are missing, and what was passed over.

    missing: {clip key: reason}. rejections: {class of the reason: scenes drawn again}, of the clips made now.
    poisoned: {asset name: reason}.
    """

    made: int
    already_there: int
    missing: dict[str, str]
    rejections: dict[str, int]
    poisoned: dict[str, str]
    index_path: str


def _blender_version() -> str:
    """The version of bpy; another Blender renders other bytes."""
    try:
        return importlib.metadata.version("bpy")
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"render": {"samples": 16}} -> {"render.samples": 16}, so that a mismatch names the one number that differs."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
