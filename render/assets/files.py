"""Find the assets of a folder and hash them: models, textures with their maps, backgrounds, environments."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .gltf import gltf_header, outside_files
from .licences import Licences
from .maps import group_maps, is_companion
from .pool import Asset

MODEL_SUFFIXES = (".obj", ".gltf", ".glb", ".ply", ".stl", ".fbx")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
ENVIRONMENT_SUFFIXES = (".hdr", ".exr")
SUFFIXES = {
    "model": MODEL_SUFFIXES,
    "texture": IMAGE_SUFFIXES,
    "background": IMAGE_SUFFIXES,
    "environment": ENVIRONMENT_SUFFIXES,
}
OPTIONS = {"model": "--models", "texture": "--textures", "background": "--backgrounds", "environment": "--hdris"}
SHAPENET_MODEL = "model_normalized.obj"
HASHING_THREADS = 8


def find_assets(kind: str, folder: Path, label: str) -> list[Asset]:
    """Every asset of a kind under a folder, hashed but not yet checked, in name order.

    label: first part of the names. Raises ValueError for a missing folder or one without any file of the kind. A file
    that cannot be read comes with its reason.
    """
    if not folder.is_dir():
        option = OPTIONS[kind]
        raise ValueError(f"{option} {folder}: no such folder; give an existing folder or leave {option} out")
    files = [path for path in walk(folder) if path.suffix.lower() in SUFFIXES[kind]]
    return assets_of(kind, folder, label, files)


def assets_of(kind: str, folder: Path, label: str, files: Sequence[Path]) -> list[Asset]:
    """The assets that files under a folder make; see `find_assets`."""
    maps: dict[Path, dict[str, Path]] = {}
    if kind == "model":
        files = without_shapenet_extras(files)
    elif kind == "texture":
        maps = group_maps(files)
        files = list(maps)
    elif kind == "background":
        files = [path for path in files if not is_companion(path)]
    if not files:
        raise ValueError(
            f"{OPTIONS[kind]} {folder}: no {kind} in it; expected files ending in {', '.join(SUFFIXES[kind])}"
        )
    licences = Licences(folder)

    def one(path: Path) -> Asset:
        own_maps = maps.get(path, {})
        try:
            sha256, reason = content_hash(path, own_maps), ""
        except OSError as error:
            sha256, reason = hashlib.sha256(b"").hexdigest(), f"cannot be read: {error.strerror or error}"
        source, licence = licences.of(path, label)
        return Asset(
            name=f"{label}/{path.relative_to(folder).as_posix()}",
            kind=kind,
            path=str(path.resolve()),
            sha256=sha256,
            source=source,
            licence=licence,
            maps=tuple((name, str(own_maps[name].resolve())) for name in sorted(own_maps)),
            reason=reason,
        )

    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        return list(threads.map(one, files))


def walk(folder: Path) -> Iterator[Path]:
    """Every file under a folder in name order; hidden ones and what archives of macOS leave behind are passed over.

    Links to folders are followed, because data sets are often put together from them; a folder that is reached twice is
    walked once.
    """
    walked: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in walked:
            folders.clear()
            continue
        walked.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file():
                yield path


def without_shapenet_extras(files: Sequence[Path]) -> list[Path]:
    """Of a ShapeNetCore.v2 model (`<synset>/<id>/models/model_normalized.obj`) nothing but that file."""
    homes = {path.parent.parent for path in files if path.name == SHAPENET_MODEL and path.parent.name == "models"}
    kept = []
    for path in files:
        home = next((parent for parent in path.parents if parent in homes), None) if homes else None
        if home is None or path == home / "models" / SHAPENET_MODEL:
            kept.append(path)
    return kept


def content_hash(path: Path, maps: dict[str, Path] | None = None) -> str:
    """sha256 over a file and all that it stands for: a model's buffers, materials and textures, a texture's maps.

    A companion that does not exist counts as missing. Textures that FBX files keep outside are not looked for. Raises
    OSError when the file itself cannot be read.
    """
    content = path.read_bytes()
    companions = list(companions_of(path, content))
    if not companions and not maps:
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256(content)
    for companion in companions:
        digest.update(companion.read_bytes() if companion.is_file() else b"missing")
    for name, file in sorted((maps or {}).items()):
        digest.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def companions_of(path: Path, content: bytes) -> list[Path]:
    """The files that an OBJ or glTF file refers to, in the order of their first mention."""
    suffix = path.suffix.lower()
    if suffix in (".gltf", ".glb"):
        try:
            names = outside_files(gltf_header(content))
        except ValueError:
            return []  # broken; measuring it tells
        return [path.parent / name for name in names]
    if suffix != ".obj":
        return []
    found: dict[Path, None] = {}
    for library in _named_after(rb"mtllib", content, path.parent):
        found[library] = None
        if library.is_file():
            found |= dict.fromkeys(_named_after(rb"map_\w+|bump|norm|disp|refl", library.read_bytes(), library.parent))
    return list(found)


def _named_after(words: bytes, content: bytes, folder: Path) -> list[Path]:
    """The files that lines beginning with one of the words name: their last word, or all of it where that exists."""
    files = []
    for match in re.finditer(rb"(?im)^[ \t]*(?:" + words + rb")[ \t]+([^\r\n]+)", content):
        value = match[1].decode(errors="replace").strip().replace("\\", "/")
        if not value or "\0" in value:
            continue
        whole = folder / value
        files.append(whole if len(value) < 255 and whole.is_file() else folder / value.split()[-1])
    return files


def label_of(folder: Path, folders: Sequence[Path]) -> str:
    """The folder's name, with its place among equally named folders when there are several."""
    name = Path(folder).resolve().name
    twins = [other for other in folders if Path(other).resolve().name == name]
    return name if len(twins) == 1 else f"{name}-{twins.index(folder) + 1}"
