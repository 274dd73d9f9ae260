"""What the JSON part of a glTF or GLB file says without loading it: outside files, author, licence."""

from __future__ import annotations

import json
import struct
import urllib.parse
from typing import Any

GLB_MAGIC = b"glTF"
JSON_CHUNK = 0x4E4F534A


def gltf_header(content: bytes) -> dict[str, Any]:
    """The JSON object of a .gltf file or of the first chunk of a .glb file. Raises ValueError when there is none."""
    if content[:4] == GLB_MAGIC:
        if len(content) < 20:
            raise ValueError("the GLB file ends within its header")
        length, kind = struct.unpack_from("<II", content, 12)
        if kind != JSON_CHUNK or 20 + length > len(content):
            raise ValueError("the first chunk of the GLB file is not whole JSON")
        content = content[20 : 20 + length]
    try:
        header = json.loads(content.decode(errors="replace"))
    except RecursionError:
        raise ValueError("the JSON of the glTF file is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("the glTF file holds no JSON object")
    return header


def outside_files(header: dict[str, Any]) -> list[str]:
    """Relative names of the buffers and images that lie in files of their own, in order."""
    names = []
    for group in ("buffers", "images"):
        entries = header.get(group)
        for entry in entries if isinstance(entries, list) else ():
            uri = entry.get("uri") if isinstance(entry, dict) else None
            if isinstance(uri, str) and uri and not uri.startswith("data:") and "\0" not in uri:
                names.append(urllib.parse.unquote(uri))
    return list(dict.fromkeys(names))


def credits_of(header: dict[str, Any]) -> tuple[str, str]:
    """(source, licence) as the file states them in `asset`, empty where it does not.

    `asset.copyright` is the field of the glTF 2.0 specification (5.9); `asset.extras` with author, licence and source
    is what Sketchfab, and so Objaverse, writes.
    """
    asset = header.get("asset")
    asset = asset if isinstance(asset, dict) else {}
    extras = asset.get("extras")
    extras = extras if isinstance(extras, dict) else {}
    licence = _text(extras.get("license")) or _text(asset.get("copyright"))
    source = " by ".join(part for part in (_text(extras.get("source")), _text(extras.get("author"))) if part)
    return source, licence


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
