"""A user's mistake is one line that says what to do, and exit code 2."""

import subprocess
import sys

import pytest


def vosforge_render(*arguments):
    command = [sys.executable, "-m", "vosforge.render.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_needs_no_extra():
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('bpy', 'blenderproc', 'ray', 'torch', 'webdataset'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "sys.argv = ['vosforge-render', 'run', '--help']\n"
        "from vosforge.render.cli import main\nmain()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0 and "--recipe" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recipe", "nope"), "recipe 'nope' is unknown; choose one of: bl30k, tiny"),
        (("--size", "big"), "--size 'big': give WIDTHxHEIGHT"),
        (("--clips", "0"), "--clips 0: must be at least 1"),
        (("--models", "/does/not/exist"), "--models /does/not/exist: no such folder"),
    ],
)
def test_mistakes_are_named(tmp_path, arguments, message):
    answer = vosforge_render("run", "--out", tmp_path / "corpus", *arguments)
    assert answer.returncode == 2 and message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "corpus").exists(), "a refused command leaves nothing behind"


def test_a_folder_with_other_files_is_not_written_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    answer = vosforge_render("run", "--recipe", "tiny", "--out", tmp_path)
    assert answer.returncode == 2 and "holds no corpus" in answer.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
