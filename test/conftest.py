import importlib.util
from pathlib import Path

import pytest

from reloc_ros.ros.domain import claim_domain

claim_domain()  # nothing that a test sends may reach, or come from, another session on this machine or network


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
