"""The files that describe the package agree with each other and with the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc_ros.version import __version__

ROOT = Path(__file__).parent.parent


def test_package_xml_has_the_version_of_the_code():
    assert ET.parse(ROOT / "package.xml").getroot().findtext("version") == __version__


def test_every_executable_is_installed_and_executable():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    nodes = [path for path in (ROOT / "nodes").iterdir() if path.is_file()]
    assert nodes
    for path in nodes:
        assert f"nodes/{path.name}" in cmake
        assert os.access(path, os.X_OK), f"{path} needs the executable bit: --symlink-install links to it"
        assert path.read_text().startswith("#!/usr/bin/env python3\n")


def test_every_message_is_generated():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    for kind in ("msg", "srv"):
        for path in (ROOT / kind).glob(f"*.{kind}"):
            assert f'"{kind}/{path.name}"' in cmake


LOOKED_UP = {
    *("ament_cmake", "ament_cmake_pytest", "ament_cmake_python", "bondpy", "builtin_interfaces", "cv_bridge"),
    *("diagnostic_msgs", "geometry_msgs", "launch", "launch_ros", "lifecycle_msgs", "nav_msgs", "rclpy"),
    *("rosgraph_msgs", "rosidl_default_generators", "rosidl_default_runtime", "sensor_msgs", "std_msgs"),
    *("std_srvs", "tf2_msgs", "tf2_ros_py", "visualization_msgs", "python3-hypothesis", "python3-numpy"),
    *("python3-opencv", "python3-psutil", "python3-pytest", "python3-rich", "python3-typer", "python3-yaml"),
}
"""In rosdistro of 2026-08-22: packages of Jazzy, Kilted, Humble, or keys of rosdep with an apt package for Ubuntu."""


def test_every_dependency_was_looked_up_in_rosdeps_list():
    root = ET.parse(ROOT / "package.xml").getroot()
    assert {each.text for each in root if each.tag.endswith("depend")} == LOOKED_UP


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of docutils, by which catkin_pkg reads it
def test_the_changelog_is_in_the_form_that_bloom_reads(tmp_path):
    changelog = pytest.importorskip("catkin_pkg.changelog")
    text = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert text.count("\nForthcoming\n-----------\n") == 1
    released = text.replace("\nForthcoming\n-----------\n", "\n7.8.9 (2027-01-15)\n------------------\n")
    (tmp_path / "CHANGELOG.rst").write_text(released, encoding="utf-8")
    read = changelog.get_changelog_from_path(str(tmp_path / "CHANGELOG.rst"), "reloc_ros")
    ((version, date, (bullets,)), *_) = read.foreach_version()
    assert (version, date.year) == ("7.8.9", 2027)
    assert len(bullets.bullets) == len(re.findall(r"^\* ", released.partition("7.8.9")[2], re.MULTILINE))


def test_a_workspace_does_not_see_the_stand_ins():
    assert (ROOT / "ros_overlay" / "COLCON_IGNORE").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The package as pip builds it, from a copy: what lies in build/ would get into it."""
    pytest.importorskip("setuptools", minversion="70.1", reason="older ones build no wheel by themselves")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "reloc_ros", source / "reloc_ros", ignore=shutil.ignore_patterns("__pycache__"))
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "dist",
        ".",
    ]
    run = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (file,) = (source / "dist").iterdir()
    return file


def test_the_wheel_carries_the_whole_package_and_nothing_else(wheel):
    assert wheel.stat().st_size < 20e6
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = archive.read(f"reloc_ros-{__version__}.dist-info/entry_points.txt").decode()
    kept = {
        path for path in (ROOT / "reloc_ros").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == {str(path.relative_to(ROOT)) for path in kept}
    assert "reloc = reloc_ros.cli:main" in entry_points


def test_reloc_runs_from_the_wheel_alone(wheel, tmp_path):
    """With the libraries of this environment; `scripts/matrix wheel` installs it where nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    cv2.imwrite(str(tmp_path / "0.png"), np.full((480, 640, 3), 90, np.uint8))
    code = f"""import sys; sys.path.insert(0, {str(tmp_path / "installed")!r})
import reloc_ros.cli, reloc_ros.demo.pipeline as demo
print(reloc_ros.cli.__file__)
sys.argv = ["reloc", "run", str(demo.EMBEDDED_BUNDLE), ".", "--tum", "poses.tum"]
reloc_ros.cli.main()
"""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(tmp_path / "installed"))
    assert "0 of 1 images localized" in " ".join(run.stderr.split())
    assert json.loads((tmp_path / "poses.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--symlink-install"]], ids=["plain", "symlink"])
def test_colcon_builds_a_package_that_works_by_itself(tmp_path, flags):
    """As in a user's workspace: the sources elsewhere, nothing of this checkout on the path."""
    colcon = shutil.which("colcon")
    if colcon is None or "AMENT_PREFIX_PATH" not in os.environ:
        pytest.skip("needs colcon and ROS: run scripts/setup and source .venv/setup.bash")
    source = tmp_path / "src" / "reloc_ros"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "install", "log")
    shutil.copytree(ROOT, source, ignore=ignored)
    overlay = os.environ.get("VIRTUAL_ENV", f"{ROOT}/.venv") + "/ros"
    env = os.environ | {"PYTHONPATH": _without(os.environ.get("PYTHONPATH", ""), str(ROOT), overlay)}
    for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "LD_LIBRARY_PATH"):
        env[name] = _without(env.get(name, ""), overlay)
    build = subprocess.run(
        [colcon, "build", *flags, "--event-handlers", "console_direct-"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    assert re.search(r"Summary: 1 package finished", build.stdout)
    script = (
        "from reloc_ros.msg import RelocStatus; from reloc_ros.localizer import Localizer; "
        "import reloc_ros.stream.status as s; print(RelocStatus.TRACKING, Localizer.__name__, s.__file__)"
    )
    run = subprocess.run(
        ["bash", "-c", f'. install/setup.bash && cd / && "{sys.executable}" -c "{script}"'],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    state, name, file = run.stdout.split()
    assert (state, name) == ("2", "Localizer")
    assert file.startswith(str(tmp_path / "install"))
    assert os.access(tmp_path / "install" / "reloc_ros" / "lib" / "reloc_ros" / "reloc_node", os.X_OK)
    assert (tmp_path / "install/reloc_ros/share/reloc_ros/launch/reloc.launch.py").exists()


def _without(paths: str, *prefixes: str) -> str:
    """A search path without a checkout's own entries."""
    kept = [
        p
        for p in paths.split(":")
        if p not in prefixes and not any(p.startswith(f"{x}/") for x in prefixes[-1:])
    ]
    return ":".join(kept)
