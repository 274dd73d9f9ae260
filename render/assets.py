"""Assets: find, hash, measure and deal models, textures and backgrounds, from folders or from the procedural set.

A broken file is quarantined in the ledger with its reason; it never stops a run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .child import explain_failure, run_child
from .procedural.shapes import SHAPE_FAMILIES
from .procedural.textures import BACKGROUND_FAMILIES, TEXTURE_FAMILIES, paint_background, paint_texture
from .randomness import Stream, stream
from .scene import AssetReference

MODEL_SUFFIXES = (".obj", ".gltf", ".glb", ".ply", ".stl", ".fbx")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PBR_COMPANIONS = ("_normal", "_roughness", "_displacement", "_ambientocclusion", "_metalness", "_opacity", "_emission")
"""Endings of the maps of a PBR set that are not its colour."""
SMALLEST_IMAGE_SIDE = 16
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
            entry = dataclasses.replace(asset, path="")
            digest.update(json.dumps(dataclasses.asdict(entry), sort_keys=True).encode())
        return digest.hexdigest()


def scan_assets(
    models: Sequence[Path],
    textures: Sequence[Path],
    backgrounds: Sequence[Path],
    known: dict[str, dict] | None = None,
    limit_seconds: float = 120.0,
) -> AssetPool:
    """Find and measure every asset of the given folders.

    models, textures, backgrounds: folders, searched recursively. known: measurements of models by content hash; new
    ones are added to it, so that a second scan is quick. Raises ValueError for a missing folder, a folder without any
    asset of its kind, or one in which every asset is broken.
    """
    known = {} if known is None else known
    found: list[Asset] = []
    for kind, folders in (("model", models), ("texture", textures), ("background", backgrounds)):
        candidates = [
            asset for folder in folders for asset in _find(kind, Path(folder), _distinct_name(folder, folders))
        ]
        measured = _measure_models(candidates, known, limit_seconds) if kind == "model" else _check_images(candidates)
        broken = [asset for asset in measured if asset.reason]
        if measured and len(broken) == len(measured):
            raise ValueError(
                f"none of the {len(measured)} {kind}s in {', '.join(map(str, folders))} can be used; "
                f"the first, {broken[0].path}: {broken[0].reason}"
            )
        found += measured
    return AssetPool(assets=tuple(sorted(found, key=lambda asset: (asset.kind, asset.name))))


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


def _distinct_name(folder: Path, folders: Sequence[Path]) -> str:
    """The folder's name, with its place among equally named folders when there are several."""
    name = Path(folder).resolve().name
    twins = [other for other in folders if Path(other).resolve().name == name]
    return name if len(twins) == 1 else f"{name}-{twins.index(folder) + 1}"


def _find(kind: str, folder: Path, label: str) -> list[Asset]:
    if not folder.is_dir():
        raise ValueError(f"--{kind}s {folder}: no such folder; give an existing folder or leave --{kind}s out")
    suffixes = MODEL_SUFFIXES if kind == "model" else IMAGE_SUFFIXES
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in suffixes)
    if kind != "model":
        files = [path for path in files if not path.stem.lower().endswith(PBR_COMPANIONS)]
    if not files:
        raise ValueError(f"--{kind}s {folder}: no {kind} in it; expected files ending in {', '.join(suffixes)}")
    licence = _licence_of(folder)
    return [
        Asset(
            name=f"{label}/{path.relative_to(folder).as_posix()}",
            kind=kind,
            path=str(path.resolve()),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            source=label,
            licence=licence,
        )
        for path in files
    ]


def _licence_of(folder: Path) -> str:
    """First line of a LICENSE or LICENCE file in the folder, or 'unknown'."""
    for path in sorted(folder.glob("*")):
        if path.is_file() and path.stem.upper() in ("LICENSE", "LICENCE"):
            lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            return lines[0] if lines else "unknown"
    return "unknown"


def _check_images(candidates: list[Asset]) -> list[Asset]:
    """Decode every image whole, so that a truncated file is found before it reaches a scene."""
    checked = []
    for asset in candidates:
        reason = ""
        try:
            with Image.open(asset.path) as image:
                image.load()
                if min(image.size) < SMALLEST_IMAGE_SIDE:
                    reason = f"image of {image.size[0]}x{image.size[1]} is smaller than {SMALLEST_IMAGE_SIDE} pixels"
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            reason = f"image cannot be decoded: {error}"
        checked.append(dataclasses.replace(asset, reason=reason))
    return checked


def _measure_models(candidates: list[Asset], known: dict[str, dict], limit_seconds: float) -> list[Asset]:
    """Load each new model once in a child process; a file that crashes Blender costs that file alone."""
    waiting = [asset for asset in candidates if asset.sha256 not in known]
    with tempfile.TemporaryDirectory(prefix="vosforge-scan-") as folder:
        round_number = 0
        while waiting:
            request, answers = Path(folder, f"{round_number}.json"), Path(folder, f"{round_number}.jsonl")
            request.write_text(json.dumps([asset.path for asset in waiting]))
            result = run_child(
                ["scan", str(request), str(answers)], Path(folder, f"{round_number}.log"), limit_seconds, answers
            )
            lines = answers.read_text().split("\n")[:-1] if answers.exists() else []
            for asset, line in zip(waiting, lines, strict=False):
                known[asset.sha256] = json.loads(line)
            if result.returncode != 0:
                failure = explain_failure(result, limit_seconds)
                if round_number == 0 and not lines and failure.kind == "python":
                    raise ValueError(f"the Blender worker does not start: {failure}; install the `render` extra")
                if len(lines) < len(waiting):
                    known[waiting[len(lines)].sha256] = {"reason": f"{failure.kind}: {failure}"}
            waiting = [asset for asset in waiting if asset.sha256 not in known]
            round_number += 1
    return [dataclasses.replace(asset, **known[asset.sha256]) for asset in candidates]


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
