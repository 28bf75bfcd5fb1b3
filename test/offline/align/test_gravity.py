import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import look_at, make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.gravity import (
    level_rotation,
    robust_direction,
    up_of_cameras,
    up_of_imu,
    up_of_plane,
)
from reloc_ros.offline.align.timed_readings import Accelerations
from reloc_ros.offline.model.sfm import SfmModel

UP = np.array([0.0, 0, 1])


def with_poses(poses) -> SfmModel:
    model = make_model()
    names = tuple(f"{i}.jpg" for i in range(len(poses)))
    ids = np.ones(len(poses), dtype=np.int32)
    return dataclasses.replace(model, names=names, camera_ids=ids, camera_from_map=tuple(poses))


def around(height: float, count: int = 20, arc: float = 2.0) -> list[SE3]:
    """Level cameras, all looking down at the origin."""
    angles = np.linspace(0, arc, count)
    return [look_at(np.array([2 * np.cos(a), 2 * np.sin(a), height]), np.zeros(3)) for a in angles]


def off_deg(estimate) -> float:
    return float(np.degrees(np.arccos(np.clip(estimate.up_sfm @ UP, -1, 1))))


def rolled(pose: SE3, degrees: float) -> SE3:
    return SE3.from_rotation_vector([0, 0, np.radians(degrees)], np.zeros(3)) @ pose


def floor(count: int = 300, tilt: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    xy = rng.uniform(-1.5, 1.5, (count, 2))
    return np.column_stack([xy, tilt * xy[:, 0] + rng.normal(0, 0.003, count)])


def test_a_level_camera_that_looks_down_everywhere_still_tells_what_is_up():
    assert off_deg(up_of_cameras(with_poses(around(2.5)))) < 1e-3  # 50 degrees down


def test_cameras_that_all_look_the_same_way_give_their_own_up_and_say_so():
    poses = [
        SE3(pose.rotation, pose.translation + np.array([0, 0, 0.1 * i]))
        for i, pose in enumerate([around(0.0)[0]] * 12)
    ]
    found = up_of_cameras(with_poses(poses))
    assert off_deg(found) < 1e-3 and "look the same way" in found.notes[0]


@pytest.mark.parametrize(("top", "degrees"), [("left", 90), ("right", -90), ("bottom", 180)])
def test_pictures_in_portrait_are_told_their_top(top, degrees):
    model = with_poses([rolled(pose, -degrees) for pose in around(1.0)])
    assert off_deg(up_of_cameras(model, top)) < 1e-3


def at_heights(low: float, high: float, count: int = 30, arc: float = 2.0) -> list[SE3]:
    """Cameras that look at the origin from all around, up and down, as somebody walks and stoops."""
    heights = np.random.default_rng(3).uniform(low, high, count)
    return [around(height, count, arc)[i] for i, height in enumerate(heights)]


@pytest.mark.parametrize("arc", [0.7, 2.0, 6.0])
def test_the_side_that_each_picture_notes_as_up_is_used(arc):
    turns = {"top": 0, "left": -90, "right": 90, "bottom": 180}
    tops = [list(turns)[i % 4] for i in range(30)]
    poses = [rolled(pose, turns[top]) for pose, top in zip(at_heights(-0.3, 1.5, arc=arc), tops, strict=True)]
    model = with_poses(poses)
    found = up_of_cameras(model, noted=dict(zip(model.names, tops, strict=True)))
    assert off_deg(found) < 1e-3 and found.used == 30
    assert found.notes[0].startswith("22 of 30 pictures are turned")


@pytest.mark.parametrize("arc", [0.7, 2.0, 6.0])
@pytest.mark.parametrize("degrees", [90, -90])
def test_pictures_that_lie_on_their_side_and_do_not_say_so_are_refused(degrees, arc):
    upright = at_heights(-0.3, 0.6 if arc < 1 else 1.5, arc=arc)
    model = dataclasses.replace(with_poses([rolled(pose, degrees) for pose in upright]), points_map=floor())
    for up_of in (up_of_cameras, up_of_plane):
        with pytest.raises(RelocError, match=r"seem to lie on their side.*--picture-top.*left or right"):
            up_of(model)
    assert off_deg(up_of_cameras(model, "left" if degrees < 0 else "right")) < 1e-3
    assert off_deg(up_of_cameras(with_poses(upright))) < 1e-3


@pytest.mark.parametrize("degrees", [90, -90])
def test_sidewards_steps_tell_pictures_that_lie_on_their_side_where_the_camera_never_turned(degrees):
    first = around(0.4)[0]
    steps = [
        SE3(first.rotation, first.translation + np.array([0.1 * i, 0.01 * (i % 3), 0])) for i in range(12)
    ]
    with pytest.raises(RelocError, match=r"moved along their short way.*--picture-top"):
        up_of_cameras(with_poses([rolled(pose, degrees) for pose in steps]))
    assert "look the same way" in up_of_cameras(with_poses(steps)).notes[0]


def test_a_third_of_pictures_in_portrait_do_not_matter():
    poses = [rolled(pose, 90) if i % 3 == 0 else pose for i, pose in enumerate(around(1.5, 30))]
    found = up_of_cameras(with_poses(poses))
    assert off_deg(found) < 1e-3 and (found.used, found.of) == (20, 30)


def test_a_camera_that_was_held_anyhow_is_refused():
    rng = np.random.default_rng(0)
    poses = [SE3.from_rotation_vector(rng.normal(0, 2, 3), np.zeros(3)) @ pose for pose in around(1.0, 30)]
    with pytest.raises(RelocError, match=r"does not tell what is up: only \d+ of 30 pictures agree"):
        up_of_cameras(with_poses(poses))


def test_too_few_images_are_refused():
    with pytest.raises(RelocError, match="needs 5 images, the map has 4"):
        up_of_cameras(with_poses(around(1.0, 4)))


def imu_of(poses, accelerations: np.ndarray, norm: float = 9.81) -> tuple:
    """A reading for each image: gravity and an acceleration (N, 3) of the camera, in its frame."""
    stamps = np.arange(len(poses), dtype=np.int64) * 10**8
    readings = np.array([p.rotation @ (norm * UP + a) for p, a in zip(poses, accelerations, strict=True)])
    return (
        with_poses(poses),
        {f"{i}.jpg": stamp for i, stamp in enumerate(stamps.tolist())},
        Accelerations(stamps, readings),
        "the IMU",
        np.eye(3),
    )


def test_an_imu_in_motion_alone_is_refused():
    poses = around(1.0, 30)
    with pytest.raises(RelocError, match=r"shows motion in all but \d of 30 images"):
        up_of_imu(*imu_of(poses, np.random.default_rng(0).normal(0, 6, (30, 3))))


@pytest.mark.parametrize(
    ("norm", "words"), [(1.0, "it is in g; sensor_msgs/Imu"), (0.0, "leaves gravity out")]
)
def test_an_imu_of_other_units_is_refused(norm, words):
    poses = around(1.0, 30)
    with pytest.raises(RelocError, match=words):
        up_of_imu(*imu_of(poses, np.full((30, 3), 0.01), norm))


def test_a_still_imu_tells_what_is_up():
    poses = around(1.0, 30)
    assert off_deg(up_of_imu(*imu_of(poses, np.zeros((30, 3))))) < 1e-3


def test_a_floor_among_clutter_is_found_with_its_height():
    clutter = np.random.default_rng(1).uniform([-1.5, -1.5, 0], [1.5, 1.5, 2], (500, 3))
    model = dataclasses.replace(
        with_poses(around(1.5)), points_map=np.concatenate([floor() - np.array([0, 0, 0.7]), clutter])
    )
    found = up_of_plane(model)
    assert off_deg(found) < 0.5 and found.floor_sfm == pytest.approx(-0.7, abs=0.01)


def test_a_wall_is_no_floor_and_neither_is_a_ceiling():
    wall = floor()[:, [2, 0, 1]]
    for points in (wall, floor() + np.array([0, 0, 3])):
        model = dataclasses.replace(with_poses(around(1.5)), points_map=points)
        with pytest.raises(RelocError, match="no plane was found"):
            up_of_plane(model)


def test_a_cloud_without_a_plane_is_refused():
    points = np.random.default_rng(0).normal(size=(500, 3))
    with pytest.raises(RelocError, match=r"no plane was found.*reloc clean"):
        up_of_plane(dataclasses.replace(with_poses(around(1.5)), points_map=points))


def test_most_directions_win_over_a_fifth_on_one_side():
    rng = np.random.default_rng(0)
    directions = UP + rng.normal(0, 0.02, (100, 3))
    directions[:20] = [1.0, 0, 0.5]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found, used, scatter_deg = robust_direction(directions)
    assert np.degrees(np.arccos(found @ UP)) < 0.5 and not used[:20].any() and used[20:].mean() > 0.95
    assert np.radians(scatter_deg) == pytest.approx(0.02 * np.sqrt(2), rel=0.3)


@given(st.integers(0, 10_000))
def test_level_frames_are_right_handed_with_z_up_and_the_first_camera_along_x(seed):
    rng = np.random.default_rng(seed)
    up = rng.normal(size=3)
    up /= np.linalg.norm(up)
    camera = SE3.from_rotation_vector(rng.normal(size=3), np.zeros(3))
    rotation = level_rotation(up, camera)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ up, UP, atol=1e-12)
    ahead = rotation @ camera.rotation[2]
    assert abs(ahead[2]) > 0.99 or (ahead[0] > 0 and abs(ahead[1]) < 1e-9)
