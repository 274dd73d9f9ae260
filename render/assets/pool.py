"""Assets: models, textures, backgrounds and environments, dealt from folders or from the procedural set."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..procedural.environments import ENVIRONMENT_FAMILIES
from ..procedural.shapes import SHAPE_FAMILIES
from ..procedural.textures import BACKGROUND_FAMILIES, TEXTURE_FAMILIES
from ..randomness import Stream, stream
from ..scene import AssetReference
from .ledger import ledger_rows
from .pictures import load_environment, load_image

__all__ = ["KINDS", "PROCEDURAL_FAMILIES", "Asset", "AssetPool", "ledger_rows", "load_environment", "load_image"]

PROCEDURAL_FAMILIES = {
    "model": SHAPE_FAMILIES,
    "texture": TEXTURE_FAMILIES,
    "background": BACKGROUND_FAMILIES,
    "environment": ENVIRONMENT_FAMILIES,
}
# The place of a kind is part of the keys of its random streams: new kinds go to the end.
KINDS = tuple(PROCEDURAL_FAMILIES)
VAL_STREAMS = 16
"""Added to a kind's number: with one stream for both splits, both would be dealt the same procedural draws."""
Kind = Literal["model", "texture", "background", "environment"]
Split = Literal["train", "val"]


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One usable or quarantined asset: a file, or the maps of one PBR texture set.

    `name` is its path from the parent of the given folder, the same on every machine. `reason` is empty unless the
    asset is quarantined. Models are measured: `faces`, `bounds` (sides of the bounding box before it is normalised, in
    the file's units), `num_parts` (meshes in the file), `textured` (an image or several colours of its own), `rigged`
    (bones) and `animated` (an animation that moves them). `maps` of a texture: (kind, absolute path), see
    `AssetReference`.
    """

    name: str
    kind: str
    path: str
    sha256: str
    source: str = ""
    licence: str = "unknown"
    faces: int = 0
    bounds: tuple[float, ...] = ()
    num_parts: int = 0
    textured: bool = False
    rigged: bool = False
    animated: bool = False
    maps: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    def reference(self) -> AssetReference:
        """What a scene says about this asset."""
        return AssetReference(name=self.name, path=self.path, maps=self.maps)


@dataclass(frozen=True, kw_only=True)
class AssetPool:
    """What scenes are made of. An empty kind is served by the procedural set.

    val_share: share of the models, chosen by content hash, that only validation clips see; 0 lets every model serve
    both splits. `poisoned`: names that are passed over; every other deal stays as it was.
    """

    assets: tuple[Asset, ...] = ()
    val_share: float = 0.0
    poisoned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0.0 <= self.val_share < 1.0:
            raise ValueError(f"val_share is {self.val_share}, it must be at least 0 and below 1")

    def usable(self, kind: str, split: Split | None = None) -> tuple[Asset, ...]:
        """The assets of a kind that are not quarantined, in name order; of one split when it is named."""
        return self._choices[kind, split]

    def quarantined(self) -> tuple[Asset, ...]:
        """The assets that cannot be used, each with its reason."""
        return tuple(asset for asset in self.assets if asset.reason)

    def split(self, asset: Asset) -> Literal["train", "val", "both"]:
        """The clips that an asset serves. Only models are split, and only when there are two different ones.

        A model is in val when the first 64 bits of its content hash, as a fraction, lie below `val_share`: a verdict
        on its content alone, whatever else is in the folders. When that leaves a split empty, the model with the
        smallest hash is moved to val, or the one with the largest to train.
        """
        if asset.kind != "model" or asset.reason or not self._val_hashes:
            return "both"
        return "val" if asset.sha256 in self._val_hashes else "train"

    def deal(self, kind: Kind, seed: int, position: int, split: Split = "train") -> AssetReference:
        """The asset at a position of an endless deal without replacement.

        Each cycle is a permutation keyed by (seed, kind, split, cycle), so the answer depends on the arguments alone,
        not on who asked before. A poisoned asset is replaced by the first sound one of a further permutation, keyed by
        its place (a procedural one by the next draw of its family), so that no other deal changes. Raises ValueError
        when every asset of the kind and split is poisoned.
        """
        choices = self.usable(kind, split)
        count = len(choices) or len(PROCEDURAL_FAMILIES[kind])
        cycle, place = divmod(position, count)
        number = KINDS.index(kind) + (VAL_STREAMS if split == "val" else 0)
        chosen = int(_permutation(seed, (number, cycle), count)[place])
        if choices:
            return self._unpoisoned(choices, chosen, seed, (number, cycle, place), f"{split} {kind}").reference()
        family = tuple(PROCEDURAL_FAMILIES[kind])[chosen]
        draws = stream(seed, Stream.DEALING, number, cycle, place)
        while (name := f"procedural/{kind}/{family}/{(draw := int(draws.integers(2**31 - 1)))}") in self.poisoned:
            pass  # the next draw of the same family
        return AssetReference(name=name, family=family, seed=draw)

    def asset(self, reference: AssetReference) -> Asset | None:
        """The measured asset behind a reference; None for a procedural one. Raises ValueError for an unknown file."""
        if reference.family is not None:
            return None
        try:
            return self._by_name[reference.name]
        except KeyError:
            raise ValueError(f"{reference.name!r} is no asset of the folders of this run") from None

    def is_textured(self, reference: AssetReference) -> bool:
        """Whether a model brings its own appearance; procedural shapes do not."""
        asset = self.asset(reference)
        return asset is not None and asset.textured

    def fingerprint(self) -> str:
        """A hash over names, contents, verdicts and splits; scenes depend on nothing else of the pool.

        The poison list is left out: it grows while a corpus is made, and only says what a scene cannot contain.
        """
        digest = hashlib.sha256(f"val_share {self.val_share:.9f}".encode())
        for asset in self.assets:
            measured = (asset.textured, asset.rigged, asset.animated, [kind for kind, _ in asset.maps])
            digest.update(json.dumps((asset.kind, asset.name, asset.sha256, *measured, bool(asset.reason))).encode())
        return digest.hexdigest()

    def __getstate__(self) -> dict:
        # What is cached below is worked out again where it is needed.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @functools.cached_property
    def _by_name(self) -> dict[str, Asset]:
        return {asset.name: asset for asset in self.assets}

    @functools.cached_property
    def _val_hashes(self) -> frozenset[str]:
        hashes = sorted({asset.sha256 for asset in self.assets if asset.kind == "model" and not asset.reason})
        if self.val_share == 0 or len(hashes) < 2:
            return frozenset()
        held_out = [entry for entry in hashes if int(entry[:16], 16) / 2**64 < self.val_share]
        return frozenset(held_out[: len(hashes) - 1] or hashes[:1])

    @functools.cached_property
    def _choices(self) -> dict[tuple[str, str | None], tuple[Asset, ...]]:
        choices = {}
        for kind in KINDS:
            sound = tuple(asset for asset in self.assets if asset.kind == kind and not asset.reason)
            choices[kind, None] = sound
            for split in ("train", "val"):
                choices[kind, split] = tuple(asset for asset in sound if self.split(asset) in ("both", split))
        return choices

    def _unpoisoned(self, choices: tuple[Asset, ...], chosen: int, seed: int, key: tuple[int, ...], what: str) -> Asset:
        if choices[chosen].name not in self.poisoned:
            return choices[chosen]
        for place in _permutation(seed, (*key, 1), len(choices)):
            if choices[place].name not in self.poisoned:
                return choices[place]
        raise ValueError(f"all {len(choices)} {what}s are on the poison list; give more, or empty the list")


@functools.lru_cache(maxsize=32)
def _permutation(seed: int, key: tuple[int, ...], count: int) -> np.ndarray:
    """A permutation of `count` numbers from a stream of its own, int64 (count,); kept, because deals come in order."""
    return stream(seed, Stream.DEALING, *key).permutation(count)
