import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.points_file import FOREIGN_ID, landmarks_at, read_points
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks, picture_widths
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.sfm import SfmModel

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.fixture(scope="module")
def model() -> SfmModel:
    return make_model(images=12, points=400)


def places(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


def written(tmp_path, text: str):
    file = tmp_path / "points.txt"
    file.write_text(text, encoding="utf-8")
    return file


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1), st.sampled_from([" ", "\t", ",", ", ", "  "])
)
def test_points_are_read_as_written(tmp_path_factory, points, between):
    text = "".join(f"# a point\n\n {between.join(map(repr, point))}  # here\n" for point in points)
    read, where = read_points(written(tmp_path_factory.mktemp("points"), text))
    np.testing.assert_array_equal(read, points)
    assert where == [f"points.txt, line {3 * row + 3}" for row in range(len(points))]


def test_a_file_from_windows_is_read(tmp_path):
    file = tmp_path / "points.txt"
    file.write_bytes(b"\xef\xbb\xbf1 2 3\r\n4 5 6\r\n")
    np.testing.assert_array_equal(read_points(file)[0], [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    "line", ["1 2", "1 2 3 4", "x y z", "1 2 nan", "1 inf 3", "1 2 1e300", "1,5 2,5 3,5", "1;2;3"]
)
def test_a_line_that_is_not_a_point_is_named(tmp_path, line):
    with pytest.raises(RelocError, match=r"points\.txt, line 2: .* is not three numbers x y z"):
        read_points(written(tmp_path, f"1 2 3\n{line}\n"))


def test_files_without_points_are_refused(tmp_path):
    with pytest.raises(RelocError, match="holds no points"):
        read_points(written(tmp_path, "# nothing\n\n"))
    with pytest.raises(RelocError, match=r"cannot read the points .*no such file"):
        read_points(tmp_path / "nothing.txt")
    with pytest.raises(RelocError, match=r"cannot read the points .*is a directory"):
        read_points(tmp_path)
    (tmp_path / "cloud.ply").write_bytes(b"ply\n\xff\xfe\x00")
    with pytest.raises(RelocError, match="is not a text file"):
        read_points(tmp_path / "cloud.ply")


def test_a_point_of_the_model_is_that_landmark(model):
    """Also where it was written with few digits."""
    rows = np.arange(0, 400, 7)
    positions = np.round(model.points_map[rows], 4)
    found, own = landmarks_at(model, positions, places(len(rows))), cloud_landmarks(model).subset(rows)
    for field in ("ids", "positions_map", "directions_map", "view_cones_rad"):
        np.testing.assert_array_equal(getattr(found, field), getattr(own, field))


def on_a_wall() -> tuple[SfmModel, np.ndarray]:
    """A model of a flat wall, seen from one side, and some points of it that are none of the model's."""
    model = make_model(images=12, points=400)
    rng = np.random.default_rng(1)
    positions = np.column_stack([rng.uniform(-1, 1, 400), np.zeros(400), rng.uniform(-1, 1, 400)])
    pixels = [model.camera(i).project(pose.apply(positions)) for i, pose in enumerate(model.camera_from_map)]
    seen = np.array(pixels)[model.observation_image, model.observation_point]
    wall = dataclasses.replace(model, points_map=positions, observation_px=seen)
    return wall, np.column_stack([rng.uniform(-0.8, 0.8, 30), np.zeros(30), rng.uniform(-0.8, 0.8, 30)])


def test_other_points_are_seen_from_where_the_points_around_them_were():
    wall, between = on_a_wall()
    found = landmarks_at(wall, between, places(30))
    assert (found.ids >= FOREIGN_ID).all() and len(set(found.ids.tolist())) == 30
    assert not np.isin(found.ids, wall.point_ids).any()
    np.testing.assert_array_equal(found.positions_map, between)
    np.testing.assert_allclose(np.linalg.norm(found.directions_map, axis=1), 1)
    nearest = np.argmin(np.linalg.norm(wall.points_map[None] - between[:, None], axis=2), axis=1)
    neighbours = cloud_landmarks(wall).subset(nearest)
    between_deg = np.degrees(np.arccos(np.sum(found.directions_map * neighbours.directions_map, axis=1)))
    assert np.median(between_deg) < 8
    ours, theirs = (label_images(wall, landmarks).visibility for landmarks in (found, neighbours))
    assert (ours == Visibility.SEEN).any(axis=0).all()
    contradicting = ((ours == Visibility.SEEN) & (theirs == Visibility.HIDDEN)).mean()
    assert contradicting < 0.02


def test_points_seen_from_the_other_side_do_not_tell_where_a_point_is_seen_from():
    """A board with features on both faces."""
    wall, between = on_a_wall()
    half_turn, thickness = SE3(np.diag([-1.0, -1.0, 1.0]), np.zeros(3)), np.array([0, 0.14, 0])
    board = dataclasses.replace(
        wall,
        names=wall.names + tuple(f"z{name}" for name in wall.names),
        camera_ids=np.tile(wall.camera_ids, 2),
        camera_from_map=wall.camera_from_map + tuple(pose @ half_turn for pose in wall.camera_from_map),
        points_map=np.concatenate([wall.points_map, wall.points_map * [-1, 1, 1] - thickness]),
        point_ids=np.concatenate([wall.point_ids, wall.point_ids + 10_000]),
        colors=np.tile(wall.colors, (2, 1)),
        errors_px=np.tile(wall.errors_px, 2),
        observation_point=np.concatenate([wall.observation_point, wall.observation_point + 400]),
        observation_image=np.concatenate([wall.observation_image, wall.observation_image + 12]),
        observation_px=np.tile(wall.observation_px, (2, 1)),
    )
    alone, front = (landmarks_at(map_, between, places(30)) for map_ in (wall, board))
    assert (np.sum(front.directions_map * alone.directions_map, axis=1) > 0.95).mean() > 0.9
    back = landmarks_at(board, between - thickness, places(30))
    assert (np.sum(back.directions_map * alone.directions_map, axis=1) < 0.5).mean() > 0.9


def test_the_unit_of_the_map_does_not_matter():
    wall, between = on_a_wall()
    bigger = dataclasses.replace(
        wall,
        points_map=64 * wall.points_map,
        camera_from_map=tuple(SE3(p.rotation, 64 * p.translation) for p in wall.camera_from_map),
    )
    scaled, same = landmarks_at(bigger, 64 * between, places(30)), landmarks_at(wall, between, places(30))
    np.testing.assert_array_equal(scaled.ids, same.ids)
    np.testing.assert_allclose(scaled.directions_map, same.directions_map, atol=1e-12)
    np.testing.assert_allclose(scaled.view_cones_rad, same.view_cones_rad, atol=1e-7)


def test_points_outside_the_cloud_are_refused_by_name(model):
    positions = np.vstack([model.points_map[:9], [[3.0, 0.0, 0.0]]])
    with pytest.raises(
        RelocError, match=r"line 10: \(3, 0, 0\) is outside the cloud, \d\.\d+ from its nearest"
    ):
        landmarks_at(model, positions, places(10))


@pytest.mark.parametrize("apart", [0.0, 0.4])
def test_two_names_of_one_landmark_are_refused(model, apart):
    """However near they are to a point of the model, and so also where both are taken for it."""
    near = model.points_map[5] + [apart * 1e-3 * picture_widths(model)[5], 0, 0]
    positions = np.vstack([model.points_map[:9], near])
    with pytest.raises(RelocError, match=r"line 10: .* is the same landmark as line 6; name it once"):
        landmarks_at(model, positions, places(10))
