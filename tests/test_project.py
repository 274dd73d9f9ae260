"""The house keeps its rules: who may import whom, what is packaged, and that the README's tree is true."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("render", "datagen", "models", "train")
BLENDER = ("bpy", "mathutils", "blenderproc")
FORBIDDEN = {
    "render": ("torch", "vosforge.train", "vosforge.models", "ray", "webdataset"),
    "datagen": (*BLENDER, "vosforge.render", "vosforge.train", "vosforge.models"),
    "models": (*BLENDER, "ray", "webdataset", "vosforge.render", "vosforge.datagen", "vosforge.train"),
    "train": (*BLENDER, "vosforge.render"),
}
ONLY_IN = {
    "ray": ("datagen/farm/farm.py", "train/launch/ray_train.py"),
    "webdataset": ("datagen/corpus/stream.py",),
    "fsspec": ("datagen/storage/store.py",),
    "s3fs": ("datagen/storage/store.py",),
    **dict.fromkeys(BLENDER, ("render/blender/",)),
}


def imported_modules(path: Path) -> set[str]:
    """Absolute names of everything a file of ours imports, relative imports resolved."""
    package = ["vosforge", *path.relative_to(ROOT).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return names


def ours(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_imports_what_it_must_not(folder):
    for path in ours(folder):
        for name in imported_modules(path):
            for forbidden in FORBIDDEN[folder]:
                assert not is_within(name, forbidden), f"{path.relative_to(ROOT)} imports {name}"


def test_ray_webdataset_and_blender_live_in_one_place_each():
    for path in ours(*FOLDERS):
        for module, homes in ONLY_IN.items():
            if any(is_within(name, module) for name in imported_modules(path)):
                assert str(path.relative_to(ROOT)).startswith(homes), f"{path.relative_to(ROOT)} imports {module}"


def test_torch_stays_in_the_loader_within_datagen():
    users = {path.name for path in ours("datagen") if any(is_within(n, "torch") for n in imported_modules(path))}
    assert users <= {"loader.py", "stream.py"}


def test_every_package_is_listed_for_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        "vosforge." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(project["packages"]) == found == set(project["package-dir"])
    for name, folder in project["package-dir"].items():
        assert folder.replace("/", ".") == name.removeprefix("vosforge.")


def test_the_lock_pins_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    # The dense CRF is built from source, so it wants a compiler, which `make test` must not.
    assert all("==" in need for need in extras["crf"]), "pinned in its extra"
    wanted = project["dependencies"] + [need for name, extra in extras.items() if name != "crf" for need in extra]
    names = {re.split(r"[<>=;\[ ]", need)[0].lower() for need in wanted} - {"vosforge"}
    pinned = {line.split("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().split()}
    assert names <= pinned, f"not pinned: {sorted(names - pinned)}"


def test_file_names_say_what_is_in_them():
    vague = {"utils.py", "common.py", "helpers.py", "base.py", "manager.py", "misc.py"}
    assert not [path for path in ours(*FOLDERS) if path.name in vague]


def test_the_tree_in_the_readme_is_the_tree_on_disk():
    tree = re.search(r"## File tree\n+```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert tree, "the README has a file tree"
    named, folders = set(), {}
    for line in tree[1].splitlines():
        indent, text = len(line) - len(line.lstrip()), line.strip()
        if folder := re.match(r"(\w+/)\s", text):
            folders = {depth: name for depth, name in folders.items() if depth < indent} | {indent: folder[1]}
        parent = "".join(name for depth, name in sorted(folders.items()) if depth < indent)
        named |= {parent + name for name in re.findall(r"[\w/]+\.py", text)}
    there = {str(path.relative_to(ROOT)) for path in ours(*FOLDERS, "bench") if path.name != "__init__.py"}
    assert named == there


@pytest.mark.parametrize(
    "module", ["vosforge.datagen.corpus.reader", "vosforge.datagen.samples.triplets", "vosforge.render.recipes"]
)
def test_core_modules_import_without_any_extra(module):
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('bpy', 'blenderproc', 'ray', 'torch', 'webdataset'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"import {module}"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
