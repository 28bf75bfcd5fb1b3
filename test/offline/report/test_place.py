import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.report.place import ground_of, roll_quarter, up_by_cameras

MODEL = make_model(images=20, points=150)


def turned(vector: list[float], scale: float = 1.0) -> tuple[SfmModel, np.ndarray]:
    rotation = SE3.from_rotation_vector(vector, [0, 0, 0]).rotation
    return MODEL.transformed(Similarity(scale, rotation, np.array([1.0, -2, 3]))), rotation


def rolled(quarter: int) -> SfmModel:
    """The same cameras, turned about their optical axes."""
    turn = SE3.from_rotation_vector([0, 0, quarter * np.pi / 2], [0, 0, 0])
    return SfmModel(**{**vars(MODEL), "camera_from_map": tuple(turn @ p for p in MODEL.camera_from_map)})


vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


@settings(max_examples=30, deadline=None)
@given(vectors, st.floats(0.1, 10))
def test_up_turns_with_the_map(vector, scale):
    model, rotation = turned(vector, scale)
    np.testing.assert_allclose(up_by_cameras(model), rotation[:, 2], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(vectors)
def test_the_ground_frame_is_a_rotation_with_up_last(vector):
    model, rotation = turned(vector)
    ground = ground_of(model)
    frame = ground.ground_from_map
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(frame) == pytest.approx(1)
    if not ground.is_map:
        np.testing.assert_allclose(frame[2], rotation[:, 2], atol=1e-6)


def test_an_aligned_map_keeps_its_axes():
    ground = ground_of(MODEL)
    assert ground.is_map
    np.testing.assert_array_equal(ground.ground_from_map, np.eye(3))


@pytest.mark.parametrize("quarter", [0, 1, 3])
def test_the_way_the_camera_was_held_does_not_tilt_the_ground(quarter):
    model = rolled(quarter)
    np.testing.assert_allclose(up_by_cameras(model), [0, 0, 1], atol=1e-6)
    assert roll_quarter(model, ground_of(model)) == quarter
