"""PBR texture sets: which files are the colour, normal, roughness, metalness and displacement of one material.

Named as by ambientCG (`Wood_1K_Color`, `Wood_1K-JPG_NormalGL`) or Poly Haven (`rock_diff_1k`, `rock_nor_gl_1k`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_RESOLUTION = r"(?P<rest>[_-]\d+k.*)?$"
_COLOUR = re.compile(r"[_-](color|colour|col|basecolor|base_color|albedo|diffuse|diff)" + _RESOLUTION)
_COMPANIONS = {
    "normal": r"normal(gl)?|normal[_-]gl|nor([_-]gl)?",
    "roughness": r"rough(ness)?",
    "metalness": r"metal(lic|ness)?",
    "displacement": r"disp(lacement)?|height",
}
# Not used: a DirectX normal map points the other way in its second channel, and its set has an OpenGL one as a rule;
# the others have no place in the materials here. They must not be taken for textures, though.
_UNUSED = r"normal[_-]?dx|nor[_-]dx|bump|ao|arm|ambientocclusion|spec(ular)?|gloss(iness)?|opacity|emission|orm"
_ANY_COMPANION = re.compile(rf"[_-]({'|'.join(_COMPANIONS.values())}|{_UNUSED})" + _RESOLUTION)
_COMPANION = {kind: re.compile(rf"[_-]({pattern})" + _RESOLUTION) for kind, pattern in _COMPANIONS.items()}


def is_companion(path: Path) -> bool:
    """Whether a file is a map of a PBR set other than its colour."""
    return _ANY_COMPANION.search(path.stem.lower()) is not None


def is_colour_map(path: Path) -> bool:
    """Whether a file is named like the colour map of a PBR set."""
    return _COLOUR.search(path.stem.lower()) is not None


def group_maps(files: Sequence[Path]) -> dict[Path, dict[str, Path]]:
    """{texture or colour map: {kind: file of its further maps}} in the order of the files.

    kind: normal (OpenGL), roughness, metalness, displacement. Of several resolutions a map of the colour's own is
    preferred. A picture that belongs to no set is a texture without maps.
    """
    companions: dict[tuple[Path, str, str], dict[str, Path]] = {}
    for path in files:
        for kind, pattern in _COMPANION.items():
            if match := pattern.search(path.stem.lower()):
                key = (path.parent, path.stem.lower()[: match.start()], kind)
                companions.setdefault(key, {})[match["rest"] or ""] = path
    groups: dict[Path, dict[str, Path]] = {}
    for path in files:
        if is_companion(path):
            continue
        groups[path] = {}
        if match := _COLOUR.search(path.stem.lower()):
            stem = path.stem.lower()[: match.start()]
            for kind in _COMPANIONS:
                found = companions.get((path.parent, stem, kind))
                if found:
                    groups[path][kind] = found.get(match["rest"] or "", found[min(found)])
    return groups
