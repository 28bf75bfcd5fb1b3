"""The files that describe the package agree with each other and with the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

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


def test_a_workspace_does_not_see_the_stand_ins():
    assert (ROOT / "ros_overlay" / "COLCON_IGNORE").exists()


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
