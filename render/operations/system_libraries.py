"""Shared libraries of the system that Blender needs: which are missing, and the packages that bring them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLU.so.1": "libglu1-mesa",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libgomp.so.1": "libgomp1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Debian and Ubuntu packages by library; other systems name them differently."""

MISSING = (
    re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file"),
    re.compile(r"(lib[\w.+-]+\.so[.\d]*)\s*=>\s*not found"),
)


def missing_libraries(text: str) -> list[str]:
    """The libraries that an import error, or the output of ldd, says are missing, in the order of their mention."""
    return list(dict.fromkeys(name for pattern in MISSING for name in pattern.findall(text)))


def missing_for_blender() -> list[str]:
    """The libraries that bpy needs and the system lacks, all at once; an import error names only the first.

    Empty where bpy is not installed, or where ldd is not.
    """
    found = importlib.util.find_spec("bpy")
    linker = shutil.which("ldd")
    if found is None or found.origin is None or linker is None:
        return []
    binary = Path(found.origin)
    if binary.suffix != ".so":
        binary = next(binary.parent.glob("*.so"), binary)
    answer = subprocess.run([linker, str(binary)], capture_output=True, text=True, check=False)
    return missing_libraries(answer.stdout)


def advice(libraries: list[str]) -> str:
    """One line: what is missing and how to get it."""
    packages = [PACKAGES[name] for name in libraries if name in PACKAGES]
    line = f"missing system libraries: {', '.join(libraries)}"
    if packages:
        line += f"; apt-get install {' '.join(dict.fromkeys(packages))}"
    unknown = [name for name in libraries if name not in PACKAGES]
    if unknown:
        line += f"; find the package of {', '.join(unknown)} with apt-file search"
    return line
