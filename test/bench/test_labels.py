import dataclasses

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.bench.labels import Agreement, compare, true_visibility
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.scene.faces import Face
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.workspace import Workspace

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN


def wall(z: float, size: float) -> Face:
    """A square that faces the camera at the origin, which looks along z."""
    corner, right, down = np.array([-size / 2, -size / 2, z]), np.array([size, 0, 0]), np.array([0, size, 0])
    return Face("wall", corner, right, down, np.full((16, 16, 3), 128, np.uint8))


PLACES = {
    (0.0, 0.0, 2.0): SEEN,  # on the near wall
    (0.3, 0.2, 4.0): HIDDEN,  # behind it, on the far one
    (1.5, 0.0, 4.0): SEEN,  # beside it, on the far one
    (0.0, 0.0, 2.06): UNKNOWN,  # as good as on the near wall
    (0.5, 0.0, 2.0): UNKNOWN,  # at its edge
    (1.5, 0.0, 3.0): UNKNOWN,  # in the air: a point that is wrong
    (0.0, 0.0, -2.0): UNKNOWN,  # behind the camera
}


def test_the_truth_is_what_the_renderer_shows_and_edges_are_left_open():
    model = dataclasses.replace(make_model(), cameras={1: CAMERA}, camera_from_map=(SE3.identity(),) * 12)
    count = len(PLACES)
    landmarks = Landmarks(
        np.arange(count), np.array(list(PLACES)), np.tile([0, 0, 1.0], (count, 1)), np.ones(count)
    )
    truth = true_visibility(model, landmarks, [wall(2.0, 1.0), wall(4.0, 6.0)])
    assert [Visibility(state) for state in truth[0]] == list(PLACES.values())


def test_precision_and_recall_are_of_pairs_with_a_known_truth():
    truth = np.array([SEEN, SEEN, SEEN, SEEN, HIDDEN, HIDDEN, UNKNOWN])
    labels = np.array([SEEN, SEEN, SEEN, UNKNOWN, SEEN, HIDDEN, SEEN])
    assert Agreement.of(labels, truth, SEEN) == Agreement(precision=3 / 4, recall=3 / 4)
    assert Agreement.of(labels, truth, HIDDEN) == Agreement(precision=1.0, recall=1 / 2)
    assert np.isnan(Agreement.of(labels, np.full(7, UNKNOWN), SEEN).recall)


def test_a_map_of_another_place_is_refused(tmp_path):
    model = make_model(images=13, points=300)
    workspace = Workspace.create(tmp_path / "ws", tmp_path, model.names, "none")
    model.save(workspace.model_path)
    steps.select_step(workspace, 12)
    with pytest.raises(RelocError, match="is not a map of the rendered room"):
        compare(workspace, [0.01], [wall(2.0, 1.0)])
