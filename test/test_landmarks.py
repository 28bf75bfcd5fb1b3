import numpy as np
import pytest
from scenes import TINY_CAMERA, random_landmarks

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks

FIELDS = ("ids", "positions_map", "directions_map", "view_cones_rad")


def contents(landmarks: Landmarks) -> dict[str, np.ndarray]:
    return {field: getattr(landmarks, field) for field in FIELDS}


def test_landmarks_go_to_disk_and_back(tmp_path):
    landmarks = random_landmarks(9)
    landmarks.save(tmp_path / "landmarks.npz")
    loaded = Landmarks.load(tmp_path / "landmarks.npz")
    assert len(loaded) == 9
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(loaded, field), getattr(landmarks, field))


def test_subset_takes_whole_landmarks_in_the_order_asked_for():
    landmarks = random_landmarks(9)
    picked = landmarks.subset(np.array([5, 2]))
    assert picked.ids.tolist() == [landmarks.ids[5], landmarks.ids[2]]
    np.testing.assert_array_equal(picked.positions_map[1], landmarks.positions_map[2])
    assert len(picked.directions_map) == len(picked.view_cones_rad) == 2


def test_distance_is_that_to_what_the_camera_sees():
    ahead, behind, aside, from_behind = [0, 0, 2.0], [0, 0, -30.0], [50.0, 0, 1], [0, 0, 40.0]
    points = np.array([ahead, [0.1, 0, 4], behind, behind, aside, aside, from_behind, from_behind])
    towards = np.tile([0, 0, -1.0], (8, 1))
    towards[6:] = [0, 0, 1]
    landmarks = Landmarks(np.arange(8), points, towards, np.full(8, np.radians(40)))
    assert landmarks.distance_from(TINY_CAMERA, SE3.identity()) == pytest.approx((2 + np.hypot(0.1, 4)) / 2)
    aloft = SE3.from_rotation_vector([0, 0, 0], [0, 1000, 0])  # sees none of them
    assert landmarks.distance_from(TINY_CAMERA, aloft) == pytest.approx(1000, rel=0.01)


def test_missing_file_is_refused_and_the_step_that_makes_it_is_named(tmp_path):
    with pytest.raises(RelocError, match=r"landmarks\.npz does not exist; run reloc select"):
        Landmarks.load(tmp_path / "landmarks.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_file_is_refused_by_name(tmp_path, share):
    file = tmp_path / "landmarks.npz"
    random_landmarks(9).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RelocError, match=r"landmarks\.npz is not a readable landmark file"):
        Landmarks.load(file)


@pytest.mark.parametrize("data", [b"", b"some words", b"\x00" * 100, b"PK\x03\x04 almost a zip"])
def test_foreign_file_is_refused_by_name(tmp_path, data):
    file = tmp_path / "landmarks.npz"
    file.write_bytes(data)
    with pytest.raises(RelocError, match=r"landmarks\.npz is not a readable landmark file"):
        Landmarks.load(file)


@pytest.mark.parametrize("field", ["format", *FIELDS])
def test_file_without_a_field_is_refused(tmp_path, field):
    file = tmp_path / "landmarks.npz"
    data = {"format": 1, **contents(random_landmarks(9))}
    del data[field]
    np.savez(file, **data)
    with pytest.raises(RelocError, match=r"landmarks\.npz"):
        Landmarks.load(file)


def test_newer_format_is_refused_with_both_numbers(tmp_path):
    file = tmp_path / "landmarks.npz"
    np.savez(file, format=2, **contents(random_landmarks(9)))
    with pytest.raises(RelocError, match="format 2; this version reads 1"):
        Landmarks.load(file)


@pytest.mark.parametrize(
    "change",
    [
        {"positions_map": np.zeros((9, 2))},
        {"positions_map": np.zeros((8, 3))},
        {"ids": np.arange(8)},
        {"directions_map": np.zeros((9, 2))},
        {"view_cones_rad": np.zeros(8)},
        {"positions_map": np.full((9, 3), np.nan)},
        {"positions_map": np.full((9, 3), 1e300)},
        {"directions_map": np.full((9, 3), np.inf)},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path, change):
    file = tmp_path / "landmarks.npz"
    np.savez(file, format=1, **(contents(random_landmarks(9)) | change))
    with pytest.raises(RelocError, match=r"landmarks\.npz"):
        Landmarks.load(file)


def test_fewer_landmarks_than_a_pose_needs_are_refused(tmp_path):
    random_landmarks(3).save(tmp_path / "landmarks.npz")
    with pytest.raises(RelocError, match="at least 4"):
        Landmarks.load(tmp_path / "landmarks.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"format": np.array([1, 1])},
        {"format": np.inf},
        {"positions_map": np.array([["x", "y", "z"]] * 9)},
        {"positions_map": np.zeros((9, 3), dtype="M8[s]")},
        {"directions_map": np.zeros((9, 3), dtype=complex)},
        {"ids": np.arange(9.0)},
    ],
    ids=str,
)
def test_arrays_of_another_kind_are_refused(tmp_path, change):
    np.savez(tmp_path / "a.npz", **{"format": 1} | contents(random_landmarks(9)) | change)
    with pytest.raises(RelocError, match="not a readable landmark file"):
        Landmarks.load(tmp_path / "a.npz")
