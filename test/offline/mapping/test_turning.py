"""A turn on the spot and a walk, as matches of made-up points."""

from __future__ import annotations

import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.mapping.turning import MAX_PARALLAX_SHARE, parallax_share
from reloc_ros.offline.matching.features import VerifiedPair

CAMERA = Camera("brown", 640, 480, 520.0, 521.0, 322.0, 238.0, (-0.1, 0.04, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
POINTS_MAP = np.random.default_rng(3).uniform((-3, -2, 2), (3, 2, 6), (3000, 3))


def matches(step_m: float, noise_px: float = 0.5, wrong: float = 0.1) -> list[VerifiedPair]:
    """Between pictures of a camera that turns by 6 degrees a picture, and moves by `step_m`."""
    rng = np.random.default_rng(4)
    poses = [
        SE3.from_rotation_vector(np.radians([0, 6.0 * i - 15, 1.5 * i]), np.array([step_m * i, 0, 0]))
        for i in range(6)
    ]
    px = [CAMERA.project(pose.apply(POINTS_MAP)) for pose in poses]
    seen = [CAMERA.contains(p) for p in px]
    pairs = []
    for i in range(5):
        both = seen[i] & seen[i + 1]
        first, second = (px[k][both] + rng.normal(0, noise_px, (both.sum(), 2)) for k in (i, i + 1))
        bad = rng.random(len(second)) < wrong
        second[bad] = rng.uniform((0, 0), (640, 480), (bad.sum(), 2))
        pairs.append(VerifiedPair((f"{i}.jpg", f"{i + 1}.jpg"), first, second))
    return pairs


@pytest.mark.parametrize("camera", [None, CAMERA], ids=["focal length unknown", "known"])
def test_a_turn_on_the_spot_has_no_parallax(camera):
    assert parallax_share(matches(0.0), (640, 480), camera) < MAX_PARALLAX_SHARE


@pytest.mark.parametrize("camera", [None, CAMERA], ids=["focal length unknown", "known"])
def test_a_camera_that_moves_while_it_turns_has(camera):
    assert parallax_share(matches(0.4), (640, 480), camera) > 2 * MAX_PARALLAX_SHARE


def test_without_matches_nothing_is_said_against_the_camera():
    assert parallax_share([], (640, 480), None) == np.inf
