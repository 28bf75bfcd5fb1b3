import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.geometry import SE3
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.report.collect import collect
from reloc_ros.offline.report.lost_map import Visible, lost_map
from reloc_ros.offline.report.place import ground_of, place_plot, roll_quarter, scene, up_by_cameras

MODEL = make_model(images=20, points=150)


def turned(vector: list[float], scale: float = 1.0) -> tuple[SfmModel, np.ndarray]:
    rotation = SE3.from_rotation_vector(vector, [0, 0, 0]).rotation
    return MODEL.transformed(Similarity(scale, rotation, np.array([1.0, -2, 3]))), rotation


def rolled(quarter: int) -> SfmModel:
    """The same cameras, turned about their optical axes."""
    turn = SE3.from_rotation_vector([0, 0, quarter * np.pi / 2], [0, 0, 0])
    return SfmModel(**{**vars(MODEL), "camera_from_map": tuple(turn @ p for p in MODEL.camera_from_map)})


vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


@settings(max_examples=30)
@given(vectors, st.floats(0.1, 10))
def test_up_turns_with_the_map(vector, scale):
    model, rotation = turned(vector, scale)
    np.testing.assert_allclose(up_by_cameras(model), rotation[:, 2], atol=1e-6)


@settings(max_examples=30)
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


UTM = np.array([500_123.4, 5_400_216.7, 312.0])


def test_a_map_in_projected_coordinates_is_drawn_as_one_about_its_origin(evaluated):
    near = collect(evaluated)
    shift = Similarity(1.0, np.eye(3), UTM)
    landmarks = dataclasses.replace(near.landmarks, positions_map=near.landmarks.positions_map + UTM)
    model = near.model.transformed(shift)
    far = dataclasses.replace(near, model=model, known=near.known.transformed(shift), landmarks=landmarks)
    pictures = [scene(facts, ground_of(facts.model)) for facts in (near, far)]
    assert pictures[0]["points"] == pictures[1]["points"]
    for name in ("span", "radius", "yaw", "landmarks"):
        np.testing.assert_allclose(pictures[1][name], pictures[0][name], atol=2e-4)
    for a, b in zip(*(picture["cameras"] for picture in pictures), strict=True):
        np.testing.assert_allclose(b["p"], a["p"], atol=2e-4)
    predictions = [
        lost_map(facts.known, Visible(facts.known, facts.landmarks, facts.labels), ground_of(facts.model))
        for facts in (near, far)
    ]
    np.testing.assert_allclose(predictions[1].expected, predictions[0].expected, atol=0.02)


@pytest.mark.parametrize("offset", [UTM[:2], -UTM[:2], np.array([1234.5, 0.0]), np.array([0.0, 5_400_216.7])])
def test_ticks_of_large_coordinates_differ_and_are_right(offset):
    points = np.random.default_rng(0).uniform(-4, 4, (50, 2)) + offset
    plot = place_plot(points, ("x, m", "y, m"))
    for axis in (plot.x, plot.y):
        told = [axis.tell(tick) for tick in axis.ticks]
        assert len(set(told)) == len(told) >= 3 and max(map(len, told)) <= 6
        words = axis.name.removesuffix(", m").replace(",", "").split()[1:]
        origin = -float("".join(words)) if words else 0.0
        np.testing.assert_allclose(np.array(told, dtype=float) + origin, axis.ticks, rtol=0, atol=1e-6)
