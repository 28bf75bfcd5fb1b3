"""The whole demo as a user starts it, in a shorter form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import psutil
import pytest

SECONDS, RATE_HZ = "16.5", "6"  # through the room, away, and back
DEADLINE_S = 180.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where these tests' demos keep their pictures; the first renders them."""
    return tmp_path_factory.mktemp("demo")


class Demo:
    """The demo as a process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._log = folder / "demo.out"
        command = [
            sys.executable,
            "-m",
            "reloc_ros.demo",
            "--output",
            str(folder),
            "--rate",
            RATE_HZ,
            *options,
        ]
        with self._log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def children_when_walking(self) -> list[psutil.Process]:
        """Every process the demo has started, once the first picture was answered."""
        deadline_s = time.monotonic() + DEADLINE_S
        while "inliers" not in self.output:
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline_s, self.output
            time.sleep(0.2)
        return psutil.Process(self._process.pid).children(recursive=True)

    def stop(self, number: int) -> None:
        self._process.send_signal(number)

    def code(self, timeout_s: float = 20.0) -> int:
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


def assert_all_end(processes: list[psutil.Process]) -> None:
    assert psutil.wait_procs(processes, timeout=10)[1] == []


@pytest.mark.slow
def test_the_demo_is_good_with_the_bundle_of_the_repository(folder):
    demo = Demo(folder, "--seconds", SECONDS)
    assert demo.code(DEADLINE_S) == 0, demo.output
    assert "every check passed" in demo.output
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["good"]
    assert summary["complaints"] == []
    assert summary["wrong"] == summary["away_with_pose"] == summary["strange_transforms"] == 0
    assert summary["in_view_localized"] >= 0.9 * summary["in_view"] > 30
    assert summary["away"] > 10
    assert summary["median_cm"] < 5
    assert cv2.imread(str(folder / "demo.png")).shape == (960, 1600, 3)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_the_demo_ends_its_three_processes(folder, number):
    demo = Demo(folder)
    children = demo.children_when_walking()
    assert len(children) >= 2
    demo.stop(number)
    assert demo.code() == 130
    assert "stopped" in demo.output
    assert_all_end(children)
    assert not [
        log for log in (demo.output, *map(Path.read_text, folder.glob("*.log"))) if "Traceback" in log
    ]


@pytest.mark.slow
def test_a_node_that_dies_ends_the_demo_with_a_sentence(folder):
    demo = Demo(folder)
    children = demo.children_when_walking()
    (node,) = (child for child in children if "reloc_node" in " ".join(child.cmdline()))
    node.kill()
    assert demo.code() == 2
    assert "the node ended with code -9" in demo.output
    assert "Traceback" not in demo.output
    assert_all_end(children)


def test_a_folder_that_is_no_bundle_is_refused_before_anything_starts(folder):
    demo = Demo(folder, "--bundle", str(folder))
    assert demo.code() == 2
    assert "is not a bundle" in demo.output
    assert "Traceback" not in demo.output
    assert "processes" not in demo.output
