"""The doctor names the node, the fault and what to do about it."""

import copy
import json
import os
import stat
import subprocess
import sys

import pytest
from vosforge.render.operations.doctor import make_diagnosis
from vosforge.render.operations.system_libraries import PACKAGES, advice, missing_libraries

REPORT = {
    "cpu": "Some CPU",
    "versions": {"bpy": "4.5.15", "vosforge": "0.1.0"},
    "assets": "a" * 64,
    "probe": {"frames": [{"device": "cpu", "sha256": "c" * 64, "seconds": 0.1}]},
    "problems": [],
    "warnings": [],
}


def nodes(*changes):
    reports = {}
    for number, change in enumerate(changes):
        report = copy.deepcopy(REPORT)
        change(report)
        reports[f"node{number}"] = report
    return reports


def unchanged(_report):
    pass


def test_nodes_that_agree_have_no_fault():
    assert make_diagnosis(nodes(unchanged, unchanged, unchanged), {}).problems == ()


def test_the_node_that_differs_is_named_with_what_differs():
    def old_blender(report):
        report["versions"]["bpy"] = "4.2.0"

    def other_pixels(report):
        report["probe"]["frames"][0]["sha256"] = "d" * 64
        report["cpu"] = "Other CPU"

    def no_assets(report):
        report["assets"] = ""

    found = make_diagnosis(nodes(unchanged, unchanged, unchanged, old_blender, other_pixels, no_assets), {})
    assert found.problems == (
        "node3 differs: version of bpy is 4.2.0, on node0 it is 4.5.15",
        "node5 differs: assets is not there, on node0 it is aaaaaaaaaaaa",
        "node4 differs: probe frame on cpu is dddddddddddd, on node0 it is cccccccccccc (Other CPU; there Some CPU)",
    )


def test_frames_of_different_devices_are_not_compared():
    def on_a_gpu(report):
        report["probe"]["frames"] = [{"device": "optix: Some GPU", "sha256": "e" * 64, "seconds": 0.1}]

    assert make_diagnosis(nodes(unchanged, on_a_gpu), {}).problems == ()


def test_a_node_that_gives_no_report_is_a_fault():
    found = make_diagnosis(nodes(unchanged), {"node7": "no answer after 600 s"})
    assert found.problems == ("node7: cannot be examined: no answer after 600 s",)


def test_an_import_error_becomes_the_package_to_install():
    text = "ImportError: libSM.so.6: cannot open shared object file: No such file or directory"
    assert advice(missing_libraries(text)) == "missing system libraries: libSM.so.6; apt-get install libsm6"
    listing = "\tlibXi.so.6 => not found\n\tlibc.so.6 => /lib/libc.so.6\n\tlibxkbcommon.so.0 => not found\n"
    assert "apt-get install libxi6 libxkbcommon0" in advice(missing_libraries(listing))
    assert "find the package of libodd.so.9" in advice(["libodd.so.9"])
    assert all(name.startswith("lib") for name in PACKAGES.values())


def run_doctor(*arguments, **environment):
    command = [sys.executable, "-m", "vosforge.render.cli", "doctor", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=240
    )


@pytest.mark.blender
def test_this_machine_is_examined_and_software_gl_fails_eevee(tmp_path):
    pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")
    if any(os.path.exists(path) for path in ("/dev/dri", "/dev/nvidia0", "/dev/dxg")):
        pytest.skip("this machine has a GPU, on which EEVEE is welcome")
    # A linker that finds a library missing stands for a machine without it.
    linker = tmp_path / "bin/ldd"
    linker.parent.mkdir()
    linker.write_text("#!/bin/sh\necho 'libSM.so.6 => not found'\n")
    linker.chmod(linker.stat().st_mode | stat.S_IXUSR)
    path = f"{linker.parent}:{os.environ['PATH']}"
    answer = run_doctor("--engine", "eevee", "--json", tmp_path / "found.json", PATH=path)
    assert answer.returncode == 1, answer.stderr
    assert "no GPU is here" in answer.stdout and "apt-get install libsm6" in answer.stdout
    (report,) = json.loads((tmp_path / "found.json").read_text())["nodes"].values()
    (frame,) = report["probe"]["frames"]
    assert frame["device"] == "cpu" and len(frame["sha256"]) == 64 and frame["seconds"] > 0


@pytest.mark.slow
@pytest.mark.blender
def test_every_node_of_a_cluster_is_examined_and_missing_assets_are_named(tmp_path):
    pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")
    pytest.importorskip("ray", reason="ray is not installed (the farm extra)")
    from PIL import Image
    from ray.cluster_utils import Cluster

    (tmp_path / "textures").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "textures/a.png")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        answer = run_doctor("--address", cluster.address, "--json", tmp_path / "found.json", "--textures", tmp_path)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "all 2 nodes render and agree" in answer.stdout
        reports = json.loads((tmp_path / "found.json").read_text())["nodes"]
        assert len(reports) == 2 and {report["num_assets"] for report in reports.values()} == {1}
        answer = run_doctor("--address", cluster.address, "--textures", tmp_path / "gone")
        assert answer.returncode == 1 and answer.stdout.count("gone: no such folder") == 2
    finally:
        cluster.shutdown()
