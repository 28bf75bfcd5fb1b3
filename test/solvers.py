"""The robust solvers, for tests of each; PoseLib's are skipped where it is not installed, as on many robots."""

import importlib.util

import pytest

needs_poselib = pytest.mark.skipif(
    importlib.util.find_spec("poselib") is None, reason="PoseLib is not installed"
)
SOLVERS = [pytest.param("poselib", marks=needs_poselib), "usac", "opencv"]
