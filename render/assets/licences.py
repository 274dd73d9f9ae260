"""Where an asset comes from and under which licence: from the file itself, its metadata, or the folder it lies in."""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

from .gltf import credits_of, gltf_header

UNKNOWN = "unknown"
LICENCE_TYPE = re.compile(r"licen[sc]e type:\s*(.+)", re.IGNORECASE)
"""The line of Sketchfab's license.txt that names the licence."""
CREATIVE_COMMONS = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
"""Names of licences in Objaverse's metadata that say less than the licence does."""
LARGEST_HEADER_BYTES = 64 * 2**20


class Licences:
    """Sources and licences of the files under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._of_folder = functools.cache(_licence_file)
        self._listing = functools.lru_cache(maxsize=4)(_listing)  # Objaverse's listings are large, and come in order

    def of(self, path: Path, label: str) -> tuple[str, str]:
        """(source, licence) of a file.

        The first that says something serves: the glTF file itself (`asset.copyright`, `asset.extras`), metadata in the
        manner of Objaverse (`<uid>.json` beside the file, or `metadata/*.json[.gz]` with an entry for the uid), the
        nearest LICENSE file from the file's folder up to the given one. Else the label and "unknown".
        """
        found = [self._shapenet(path), _of_gltf(path), self._objaverse(path)]
        source = next((source for source, _ in found if source), label)
        licence = next((licence for _, licence in found if licence), "") or self._nearest(path)
        if licence == UNKNOWN and found[0][0]:
            licence = "ShapeNet terms of use"
        return source, licence

    def _nearest(self, path: Path) -> str:
        for folder in path.parents:
            if licence := self._of_folder(folder):
                return licence
            if folder == self._folder:
                break
        return UNKNOWN

    def _shapenet(self, path: Path) -> tuple[str, str]:
        """ShapeNetCore.v2's synset and model id, with the name of the class where taxonomy.json is there."""
        if path.name != "model_normalized.obj" or path.parent.name != "models":
            return "", ""
        model, synset = path.parent.parent.name, path.parent.parent.parent
        taxonomy = self._listing(synset.parent / "taxonomy.json")
        names = {str(entry.get("synsetId")): str(entry.get("name")) for entry in taxonomy if isinstance(entry, dict)}
        called = f" ({names[synset.name]})" if synset.name in names else ""
        return f"ShapeNetCore.v2 {synset.name}/{model}{called}", ""

    def _objaverse(self, path: Path) -> tuple[str, str]:
        uid = path.stem
        entry: Any = self._listing(path.with_suffix(".json"))
        if not (isinstance(entry, dict) and ("license" in entry or uid in entry)):
            entry = {}
            for folder in (self._folder, *self._folder.parents[:1]):
                shelf = f"metadata/{path.parent.name}.json"
                for place in (folder / f"{shelf}.gz", folder / shelf, folder / "metadata.json"):
                    listing = self._listing(place)
                    if isinstance(listing, dict) and uid in listing:
                        entry = listing
        entry = entry.get(uid, entry)
        if not isinstance(entry, dict) or not entry:
            return "", ""
        licence = str(entry.get("license") or "")
        licence = (
            f"CC {licence.upper()} 4.0" if licence in CREATIVE_COMMONS else {"cc0": "CC0 1.0"}.get(licence, licence)
        )
        user = entry.get("user")
        author = user.get("displayName") or user.get("username") if isinstance(user, dict) else None
        source = str(entry.get("viewerUrl") or entry.get("uri") or entry.get("source") or f"objaverse:{uid}")
        return (f"{source} by {author}" if author else source), licence


def _of_gltf(path: Path) -> tuple[str, str]:
    if path.suffix.lower() not in (".gltf", ".glb"):
        return "", ""
    try:
        with open(path, "rb") as file:
            return credits_of(gltf_header(file.read(LARGEST_HEADER_BYTES)))
    except (OSError, ValueError):
        return "", ""  # broken; measuring it tells


def _licence_file(folder: Path) -> str:
    """What a LICENSE or LICENCE file of a folder says: its line on the licence's type, or its first; else ''."""
    for path in sorted(folder.glob("*")):
        if path.is_file() and path.stem.upper() in ("LICENSE", "LICENCE"):
            lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
            typed = [match[1].strip() for line in lines if (match := LICENCE_TYPE.search(line))]
            return (typed or lines or [""])[0]
    return ""


def _listing(path: Path) -> dict | list:
    """The content of a JSON file, gzipped or not; empty when there is none."""
    try:
        content = path.read_bytes()
        found = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, ValueError, EOFError):
        return {}
    return found if isinstance(found, (dict, list)) else {}
