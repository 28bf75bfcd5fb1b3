"""The walks that maps are measured on, and how a map of one is judged."""

import numpy as np
import pytest

from reloc_ros.bench.mapping.truth import judge_placement
from reloc_ros.bench.mapping.walks import WALKS
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.similarity import Similarity

POSES = {f"{i:02}.jpg": pose for i, pose in enumerate(WALKS["plain"]().camera_from_map[::3])}
MOVED = Similarity(
    0.3, SE3.from_rotation_vector(np.array([0.4, -1.0, 2.0]), np.zeros(3)).rotation, np.array([5.0, -2, 1])
)


@pytest.mark.parametrize("name", WALKS)
def test_every_walk_has_pictures_of_its_place(name):
    walk = WALKS[name]()
    picture = next(iter(walk.pictures()))
    assert picture.shape == (walk.camera.height, walk.camera.width, 3) and picture.std() > 3
    steps = np.linalg.norm(np.diff([pose.center for pose in walk.camera_from_map], axis=0), axis=1)
    assert (steps.max() > 0.01) == walk.has_depth


def test_the_orbit_is_made_of_any_number_of_pictures_of_any_size():
    walk = WALKS["orbit"](30, 160)
    assert len(walk.camera_from_map) == 30 and next(iter(walk.pictures())).shape == (120, 160, 3)


def test_a_map_in_another_frame_and_scale_is_right():
    judged = judge_placement({name: MOVED.move_camera(pose) for name, pose in POSES.items()}, POSES)
    assert judged.right_share == 1 and not judged.wrong


def test_a_part_that_lies_elsewhere_is_wrong_and_what_is_missing_is_neither():
    shift = SE3.from_rotation_vector(np.array([0.0, 0.3, 0.0]), np.array([0.5, 0.0, 0.0]))
    names = sorted(POSES)
    placed = {name: POSES[name] for name in names[:8]} | {name: shift @ POSES[name] for name in names[8:12]}
    judged = judge_placement(placed, POSES)
    assert judged.right == tuple(names[:8]) and judged.wrong == tuple(names[8:12])
    assert judged.right_share + judged.wrong_share < 1
