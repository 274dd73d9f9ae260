"""Assets: models, textures and backgrounds, dealt from folders or from the procedural set; their ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .procedural.shapes import SHAPE_FAMILIES
from .procedural.textures import BACKGROUND_FAMILIES, TEXTURE_FAMILIES, paint_background, paint_texture
from .randomness import Stream, stream
from .scene import AssetReference

PROCEDURAL_FAMILIES = {"model": SHAPE_FAMILIES, "texture": TEXTURE_FAMILIES, "background": BACKGROUND_FAMILIES}
KINDS = tuple(PROCEDURAL_FAMILIES)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One usable or quarantined file.

    `name` is its path from the parent of the given folder, the same on every machine; `textured` says whether a model
    brings an image or several colours of its own; `reason` is empty unless the file is quarantined.
    """

    name: str
    kind: str
    path: str
    sha256: str
    source: str = ""
    licence: str = "unknown"
    faces: int = 0
    textured: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class AssetPool:
    """What scenes are made of. An empty kind is served by the procedural set."""

    assets: tuple[Asset, ...] = ()

    def usable(self, kind: str) -> tuple[Asset, ...]:
        """The assets of a kind that are not quarantined, in name order."""
        return tuple(asset for asset in self.assets if asset.kind == kind and not asset.reason)

    def quarantined(self) -> tuple[Asset, ...]:
        """The files that cannot be used, each with its reason."""
        return tuple(asset for asset in self.assets if asset.reason)

    def deal(self, kind: str, seed: int, position: int) -> AssetReference:
        """The asset at a position of an endless deal without replacement.

        Each cycle is a permutation keyed by (seed, kind, cycle), so the answer depends on the arguments alone, not on
        who asked before. kind: model, texture or background.
        """
        choices = self.usable(kind)
        count = len(choices) or len(PROCEDURAL_FAMILIES[kind])
        cycle, place = divmod(position, count)
        order = stream(seed, Stream.DEALING, KINDS.index(kind), cycle).permutation(count)
        if choices:
            chosen = choices[order[place]]
            return AssetReference(name=chosen.name, path=chosen.path)
        family = tuple(PROCEDURAL_FAMILIES[kind])[order[place]]
        draw = int(stream(seed, Stream.DEALING, KINDS.index(kind), cycle, place).integers(2**31 - 1))
        return AssetReference(name=f"procedural/{kind}/{family}/{draw}", family=family, seed=draw)

    def is_textured(self, reference: AssetReference) -> bool:
        """Whether a model brings its own appearance; procedural shapes do not."""
        return any(asset.textured for asset in self.usable("model") if asset.name == reference.name)

    def fingerprint(self) -> str:
        """A hash over the names, contents and verdicts of all assets; scenes depend on nothing else of the pool."""
        digest = hashlib.sha256()
        for asset in self.assets:
            entry = (asset.kind, asset.name, asset.sha256, asset.textured, bool(asset.reason))
            digest.update(json.dumps(entry).encode())
        return digest.hexdigest()


def ledger_rows(pool: AssetPool, used: Iterable[str]) -> list[dict[str, str]]:
    """Rows of assets.csv: every file with its status, and every procedural asset that was used."""
    used = set(used)
    rows = []
    for asset in pool.assets:
        status = "quarantined" if asset.reason else "used" if asset.name in used else "unused"
        rows.append(_row(asset.name, asset.kind, status, asset.reason, asset.sha256, asset.source, asset.licence))
    for name in sorted(name for name in used if name.startswith("procedural/")):
        rows.append(_row(name, name.split("/")[1], "used", "", "", "vosforge procedural set", "Apache-2.0"))
    return rows


def _row(asset: str, kind: str, status: str, reason: str, sha256: str, source: str, licence: str) -> dict[str, str]:
    return {
        "asset": asset,
        "kind": kind,
        "status": status,
        "reason": reason,
        "sha256": sha256,
        "source": source,
        "licence": licence,
    }


def load_image(reference: AssetReference, width: int, height: int) -> np.ndarray:
    """The picture of a texture or background reference, uint8 (H, W, 3).

    A file keeps its own size; a procedural texture is painted width by width, a procedural background width by height.
    """
    if reference.path is not None:
        with Image.open(reference.path) as image:
            return np.asarray(image.convert("RGB"))
    rng = np.random.default_rng(np.random.SeedSequence(reference.seed))
    if reference.family in TEXTURE_FAMILIES:
        return paint_texture(reference.family, rng, width)
    return paint_background(reference.family, rng, width, height)
