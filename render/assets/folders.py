"""Tell apart what lies in a folder of mixed assets: models, textures, backgrounds, environment maps."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .files import SHAPENET_MODEL, SUFFIXES, assets_of, companions_of, label_of, walk, without_shapenet_extras
from .maps import is_colour_map, is_companion
from .pool import Asset

TEXTURE_FOLDER = re.compile(r"textures?|materials?|patterns?|pbr", re.IGNORECASE)


def find_all_kinds(folders: Sequence[Path]) -> list[Asset]:
    """Every asset under the folders, hashed but not yet checked. Raises ValueError for a missing or empty folder.

    A picture that a model refers to, or that lies beside or below an FBX file, is part of that model; one of a PBR set,
    or in a folder named textures or materials, is a texture; any other is a background.
    """
    found: list[Asset] = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder}: no such folder")
        files: dict[str, list[Path]] = {kind: [] for kind in SUFFIXES}
        for path, kind in _kinds(folder):
            files[kind].append(path)
        if not any(files.values()):
            raise ValueError(f"{folder}: no model, picture or environment map in it")
        for kind, paths in files.items():
            if paths:
                found += assets_of(kind, folder, label_of(folder, folders), paths)
    return found


def _kinds(folder: Path) -> list[tuple[Path, str]]:
    paths = list(walk(folder))
    models = without_shapenet_extras([path for path in paths if path.suffix.lower() in SUFFIXES["model"]])
    pictures = [path for path in paths if path.suffix.lower() in SUFFIXES["texture"]]
    taken = _pictures_of_models(models, pictures)
    kinds = [(path, "model") for path in models]
    kinds += [(path, "environment") for path in paths if path.suffix.lower() in SUFFIXES["environment"]]
    for path in pictures:
        if path not in taken:
            places = (folder.name, *path.relative_to(folder).parts[:-1])
            is_texture = is_companion(path) or is_colour_map(path) or any(map(TEXTURE_FOLDER.fullmatch, places))
            kinds.append((path, "texture" if is_texture else "background"))
    return kinds


def _pictures_of_models(models: Sequence[Path], pictures: Sequence[Path]) -> set[Path]:
    """The pictures of models: those they refer to, beside or below an FBX file, or in the folder of a ShapeNet model.

    FBX keeps its references in a binary form that is not read here.
    """
    if not pictures:
        return set()
    homes = {path.parent for path in models if path.suffix.lower() == ".fbx"}
    homes |= {path.parent.parent for path in models if path.name == SHAPENET_MODEL and path.parent.name == "models"}
    named = {
        Path(os.path.normpath(companion))
        for path in models
        if path.suffix.lower() in (".obj", ".gltf", ".glb")
        for companion in companions_of(path, path.read_bytes())
    }
    return {path for path in pictures if path in named or not homes.isdisjoint(path.parents)}
