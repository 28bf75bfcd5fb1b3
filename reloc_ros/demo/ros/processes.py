"""Child processes that are ended for certain; the demo's camera and node, started as a user would start them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reloc_ros.errors import RelocError

PATIENCE_S = 5.0
"""After each signal, until the next stronger one."""


class Child:
    """A process in a session of its own, so that Ctrl-C reaches it through its parent alone."""

    def __init__(self, name: str, command: Sequence[str], log: Path | None = None) -> None:
        """Its words go to the log, or where those of its parent go."""
        self.name, self.log = name, log
        with contextlib.nullcontext() if log is None else log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=None if log is None else subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        self.pid = self._process.pid

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """SIGINT to it and to what it started, then stronger signals, until it has ended."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.ended is not None:
                break
            os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S)

    def refuse_end(self, *, allow_success: bool = False) -> None:
        """Raise its own last words when it has ended though it should not have."""
        if self.ended is None or (allow_success and self.ended == 0):
            return
        if self.log is None:
            raise RelocError(f"the {self.name} ended with code {self.ended}; see above for why")
        words = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        last = words[-1] if words else "it said nothing"
        raise RelocError(f"the {self.name} ended with code {self.ended}: {last} (see {self.log})")


def start_publisher(cache_dir: Path, rate_hz: float, seconds: float | None, log: Path) -> Child:
    command = [sys.executable, "-m", "reloc_ros.demo.ros.camera", str(cache_dir), "--rate", f"{rate_hz:g}"]
    if seconds is not None:
        command += ["--seconds", f"{seconds:g}"]
    return Child("publisher", command, log)


def start_node(bundle: Path, image: str, camera_info: str, log: Path) -> Child:
    """`ros2 launch` where there is one, else the installed executable that it would start."""
    given = {"image": image, "camera_info": camera_info}
    if shutil.which("ros2") and importlib.util.find_spec("launch_ros"):
        arguments = [f"{name}:={value}" for name, value in {**given, "bundle": str(bundle.resolve())}.items()]
        return Child("node", ["ros2", "launch", "reloc_ros", "reloc.launch.py", *arguments], log)
    prefix = installed_prefix()
    arguments = ["--params-file", str(prefix / "share/reloc_ros/config/reloc.yaml")]
    arguments += ["-p", f"bundle:='{bundle.resolve()}'"]
    for name, topic in given.items():
        arguments += ["-r", f"{name}:={topic}"]
    return Child("node", [str(prefix / "lib/reloc_ros/reloc_node"), "--ros-args", *arguments], log)


def installed_prefix() -> Path:
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / "lib/reloc_ros/reloc_node").exists():
            return Path(prefix)
    raise RelocError("reloc_ros is not installed as a ROS package; run scripts/setup and . .venv/setup.bash")
