import contextlib
import fcntl
import importlib.util
import os
import sys
import time
from pathlib import Path

import hypothesis
import pytest

from reloc_ros import cli
from reloc_ros.demo.ros.domain import claim_domain

claim_domain()  # nothing that a test sends may reach, or come from, another session on this machine or network

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="module", autouse=True)
def _clear_shared_memory():
    """Fast DDS leaves what a killed process had, 17 MB of a node's: with hundreds of nodes, the memory of a machine."""
    yield
    for lock in Path("/dev/shm").glob("fast*_[0-9a-f]*_el"):
        with contextlib.suppress(OSError):  # the process lives and holds it, or another test was faster
            if time.time() - lock.stat().st_mtime > 60:
                with lock.open("rb+") as held:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lock.with_name(lock.name.removesuffix("_el")).unlink()
                    lock.unlink()


def _without_ros() -> str:
    """Why the tests in test/ros cannot run here; empty if they can."""
    if importlib.util.find_spec("rclpy") is None:
        return "rclpy is not installed: run scripts/setup and source .venv/setup.bash"
    if importlib.util.find_spec("reloc_ros.msg") is None:
        return "the messages are not built: run scripts/setup and source .venv/setup.bash"
    return ""


WITHOUT_ROS = _without_ros()
ROS_TESTS = Path(__file__).parent / "ros"


def pytest_ignore_collect(collection_path, config):
    # Their modules import rclpy at the top, as any ROS code does.
    return True if WITHOUT_ROS and collection_path.is_relative_to(ROS_TESTS) else None


def pytest_report_header(config):
    return f"test/ros left out: {WITHOUT_ROS}" if WITHOUT_ROS else None


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "ros":
            item.add_marker(pytest.mark.ros)
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = _places(items)
        items.sort(key=lambda item: places[item.path])


def _places(items) -> dict[Path, tuple[bool, float]]:
    """The files' order: long ones first, as one that comes last has the others wait for its worker; and those that
    mostly wait, for nodes, spread between those that compute."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    kinds: dict[tuple[bool, bool], list[Path]] = {}
    for path in dict.fromkeys(item.path for item in items):
        kinds.setdefault((path not in slow, path.parent.name == "ros"), []).append(path)
    return {
        path: (quick, place / len(paths))
        for (quick, _), paths in kinds.items()
        for place, path in enumerate(paths)
    }


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """`-n auto`: three for two cores, as tests of nodes mostly wait, four at most, as each takes a gigabyte or two;
    their threads share the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores + cores // 2, 4)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(cores // workers, 1)))
    return workers


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A whole file to a worker, in the order above: what a file's tests share is made once."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture
def reloc(monkeypatch, capsys):
    """Runs the command in this process and gives its exit code and everything it printed."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["reloc", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, " ".join((printed.out + printed.err).split())

    return run


@pytest.fixture
def refused(reloc):
    """Runs a command that must end with code 2 and one sentence, and gives the sentence."""

    def run(*arguments: object) -> str:
        code, printed = reloc(*arguments)
        assert code == 2, printed
        assert "Traceback" not in printed
        assert printed.count("error:") == 1, printed
        return printed.partition("error:")[2]

    return run
