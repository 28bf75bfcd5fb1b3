import cv2
import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.localizer import NO_KEYPOINTS, Localized, Lost, LostReason
from reloc_ros.offline.measuring.evaluate import evaluate, held_out_queries


@pytest.fixture
def scene(tmp_path):
    """A model whose images are all of one grey, and its held-out images."""
    model = make_model(images=12, camera="pinhole")
    for name in model.names:
        cv2.imwrite(str(tmp_path / name), np.full((480, 640, 3), 100, dtype=np.uint8))
    held_out = np.arange(12) % 4 == 1
    return model, held_out, tmp_path


def in_front_of(camera_from_map: SE3, distance: float) -> Landmarks:
    """Landmarks that a camera sees at that distance, and more in another room, behind it."""
    points = camera_from_map.inverse().apply([[0, 0, distance]] * 4 + [[0, 0, -1000]] * 6)
    towards = np.tile(camera_from_map.inverse().rotation @ [0, 0, -1], (10, 1))
    return Landmarks(np.arange(10), points, towards, np.full(10, np.radians(60)))


def by_camera_order(poses: list[SE3 | None]):
    """A method that answers with these poses in turn."""
    answers = iter(poses)

    def localize(image: np.ndarray, camera):
        pose = next(answers)
        none = np.zeros(0, dtype=bool)
        if pose is None:
            return Lost(LostReason.NO_KEYPOINTS, "none", NO_KEYPOINTS, none, {"total": 1.0})
        return Localized(pose, np.eye(6), NO_KEYPOINTS, none, 0.0, {"total": 2.0})

    return localize


def test_queries_are_the_held_out_images_with_their_true_poses(scene):
    model, held_out, _ = scene
    queries = held_out_queries(model, held_out)
    assert [query.name for query in queries] == [model.names[i] for i in (1, 5, 9)]
    assert queries[1].camera_from_map is model.camera_from_map[5]


def test_nothing_held_out_is_refused_and_the_option_named(scene):
    with pytest.raises(RelocError, match="--holdout"):
        held_out_queries(scene[0], np.zeros(12, dtype=bool))


def test_errors_are_those_between_the_found_and_the_true_pose(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    true = [query.camera_from_map for query in queries]
    shifted = SE3(true[1].rotation, true[1].translation + np.array([0.3, 0, 0.4]))
    turned = SE3.from_rotation_vector([0, np.radians(7), 0], [0, 0, 0]) @ true[2]
    methods = {"reloc": by_camera_order([true[0], shifted, turned])}
    (found,) = evaluate(methods, queries, folder, in_front_of(true[1], 20.0), metric=False)
    assert [outcome.name for outcome in found.outcomes] == [query.name for query in queries]
    assert found.outcomes[0].rotation_deg == pytest.approx(0, abs=1e-6)
    assert found.outcomes[1].position == pytest.approx(0.5)
    assert found.outcomes[1].position_percent == pytest.approx(2.5)
    assert found.outcomes[1].nees == pytest.approx(0.25)  # the method says a variance of 1
    assert found.outcomes[2].rotation_deg == pytest.approx(7)
    assert found.outcomes[2].position == pytest.approx(0, abs=1e-9)
    assert found.recall == pytest.approx(2 / 3)


def test_every_method_sees_every_image_under_every_condition(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    seen: dict[str, list[float]] = {"a": [], "b": []}

    def method(name: str):
        def localize(image, camera):
            seen[name].append(float(image.mean()))
            return by_camera_order([None])(image, camera)

        return localize

    methods = {name: method(name) for name in seen}
    landmarks = in_front_of(queries[0].camera_from_map, 1.0)
    scores = evaluate(methods, queries, folder, landmarks, False, ["clean", "dark"])
    assert [(s.condition, s.method) for s in scores] == [
        ("clean", "a"),
        ("clean", "b"),
        ("dark", "a"),
        ("dark", "b"),
    ]
    assert all(len(s.outcomes) == 3 and s.lost == 3 for s in scores)
    assert seen["a"] == seen["b"] == [100, 30] * 3


def test_unknown_condition_is_refused_before_any_work(scene):
    model, held_out, _ = scene
    queries = held_out_queries(model, held_out)
    landmarks = in_front_of(queries[0].camera_from_map, 1.0)
    with pytest.raises(RelocError, match="unknown condition 'fog'; use all or some of clean, dark"):
        evaluate({}, queries, scene[2] / "nowhere", landmarks, False, ["clean", "fog"])


def test_missing_image_is_refused_by_name(scene):
    model, held_out, folder = scene
    queries = held_out_queries(model, held_out)
    (folder / queries[0].name).unlink()
    landmarks = in_front_of(queries[0].camera_from_map, 1.0)
    with pytest.raises(RelocError, match=queries[0].name):
        evaluate({"reloc": by_camera_order([None] * 3)}, queries, folder, landmarks, False)
