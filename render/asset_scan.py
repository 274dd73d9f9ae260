"""Scan asset folders: find, hash and measure every file; what is broken is quarantined with its reason.

A broken file never stops a run, and a file that crashes Blender costs that file alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tempfile
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ..datagen.files import sha256_of_file
from .assets import Asset, AssetPool
from .child import ChildFailure, explain_failure, run_child

MODEL_SUFFIXES = (".obj", ".gltf", ".glb", ".ply", ".stl", ".fbx")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PBR_COMPANION = re.compile(
    r"[_-](normal(gl|dx)?|nor([_-](gl|dx))?|rough(ness)?|disp(lacement)?|height|bump|ao|arm|ambientocclusion"
    r"|metal(lic|ness)?|spec(ular)?|opacity|emission)([_-]\d+k.*)?$"
)
"""Endings of the maps of a PBR set that are not its colour, as ambientCG and Poly Haven name them."""
CRASHES_BEFORE_QUARANTINE = 2
SMALLEST_IMAGE_SIDE = 16


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
        files = [path for path in files if not PBR_COMPANION.search(path.stem.lower())]
    if not files:
        raise ValueError(f"--{kind}s {folder}: no {kind} in it; expected files ending in {', '.join(suffixes)}")
    licence = _licence_of(folder)
    return [
        Asset(
            name=f"{label}/{path.relative_to(folder).as_posix()}",
            kind=kind,
            path=str(path.resolve()),
            sha256=_hash_with_companions(path) if kind == "model" else sha256_of_file(path),
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
            reason = f"image cannot be decoded: {str(error).replace(asset.path, Path(asset.path).name)}"
        checked.append(dataclasses.replace(asset, reason=reason))
    return checked


def _measure_models(candidates: list[Asset], known: dict[str, dict], limit_seconds: float) -> list[Asset]:
    """Load each new model once in a child process; a file that crashes Blender twice costs that file alone."""
    answers = {_content(asset): known[_content(asset)] for asset in candidates if _content(asset) in known}
    crashes: Counter[str] = Counter()
    while waiting := list({_content(a): a for a in candidates if _content(a) not in answers}.values()):
        measured, failure = _measure_batch([asset.path for asset in waiting], limit_seconds)
        for asset, answer in zip(waiting, measured, strict=False):
            answers[_content(asset)] = known[_content(asset)] = answer
        if failure is not None and len(measured) < len(waiting):
            content = _content(waiting[len(measured)])
            crashes[content] += 1
            if crashes[content] == CRASHES_BEFORE_QUARANTINE:
                # Not kept for the next scan: a time limit or a full memory may have been the machine's fault.
                answers[content] = {"reason": f"{failure.kind}: {failure}"}
    return [dataclasses.replace(asset, **answers[_content(asset)]) for asset in candidates]


def _measure_batch(paths: list[str], limit_seconds: float) -> tuple[list[dict], ChildFailure | None]:
    """Measure models in one child process until the end or a crash; returns (answers so far, failure or None)."""
    with tempfile.TemporaryDirectory(prefix="vosforge-scan-") as folder:
        request, answers, log = (Path(folder, name) for name in ("request.json", "answers.jsonl", "output.log"))
        request.write_text(json.dumps(paths))
        result = run_child(["scan", str(request), str(answers)], log, limit_seconds, answers)
        if not answers.exists():
            failure = explain_failure(result, limit_seconds)
            raise ValueError(f"Blender does not start: {failure}; install the `render` extra on Python 3.11")
        measured = [json.loads(line) for line in answers.read_text().split("\n")[:-1]]
    return measured, None if result.returncode == 0 else explain_failure(result, limit_seconds)


def _content(asset: Asset) -> str:
    """What a measurement depends on: the format and the content, with the files it refers to."""
    return f"{Path(asset.path).suffix}:{asset.sha256}"


def _hash_with_companions(path: Path) -> str:
    """sha256 over a model file and the files it refers to (buffers, materials, textures), so far as they exist."""
    digest = hashlib.sha256(path.read_bytes())
    for companion in _companions(path):
        digest.update(companion.read_bytes() if companion.is_file() else b"missing")
    return digest.hexdigest()


def _companions(path: Path) -> list[Path]:
    """The files that an OBJ or glTF file refers to, in the order of their first mention."""
    names: list[str] = []
    if path.suffix.lower() == ".gltf":
        try:
            content = json.loads(path.read_text(errors="replace"))
            entries = [entry for kind in ("buffers", "images") for entry in content.get(kind, [])]
            names = [urllib.parse.unquote(entry["uri"]) for entry in entries if not entry["uri"].startswith("data:")]
        except (ValueError, KeyError, TypeError, AttributeError):
            return []  # broken, or without outside files; measuring it tells
    elif path.suffix.lower() == ".obj":
        libraries = _named_after("mtllib", path)
        textures = [name for library in libraries for name in _named_after("map_", path.parent / library)]
        names = libraries + textures
    return [path.parent / name for name in dict.fromkeys(names)]


def _named_after(word: str, path: Path) -> list[str]:
    """The last word of each line of a text file that begins with `word`."""
    if not path.is_file():
        return []
    with open(path, errors="replace") as lines:
        return [line.split()[-1] for line in lines if line.lstrip().lower().startswith(word) and len(line.split()) > 1]
