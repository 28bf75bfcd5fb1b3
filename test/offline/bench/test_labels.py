import dataclasses

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.demo.renderer import Renderer
from reloc_ros.demo.room import MIDDLE_MAP, cluttered_room
from reloc_ros.demo.trajectories import CAMERA, orbit
from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.bench.labels import Agreement, compare, true_visibility
from reloc_ros.offline.label import Visibility
from reloc_ros.offline.workspace import Workspace

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN
SMALL = CAMERA.resized(160, 120)


def test_the_renderer_tells_surfaces_from_what_is_behind_and_before_them():
    pose = orbit(MIDDLE_MAP).camera_from_map[0]
    model = dataclasses.replace(make_model(), cameras={1: SMALL}, camera_from_map=(pose,) * 12)
    depths = Renderer(cluttered_room().faces, SMALL, supersampling=1).render(pose).depths
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(10, 150, 10), np.arange(10, 110, 10)))
    rays = np.column_stack([SMALL.unproject(np.column_stack([x, y])), np.ones(len(x))])
    places = np.vstack(
        [pose.inverse().apply(factor * rays * depths[y, x, None]) for factor in (1.0, 1.5, 0.7, -1.0)]
    )
    count = len(places)
    landmarks = Landmarks(np.arange(count), places, np.tile([0, 0, 1.0], (count, 1)), np.ones(count))
    truth = true_visibility(model, landmarks)[0]
    on_it, behind_it, before_it, behind_the_camera = np.split(truth, 4)
    assert (on_it != HIDDEN).all() and np.mean(on_it == SEEN) > 0.5  # the rest lie near edges
    assert (behind_it != SEEN).mean() > 0.9 and np.mean(behind_it == HIDDEN) > 0.8
    assert (before_it != HIDDEN).mean() > 0.9 and np.mean(before_it == UNKNOWN) > 0.8
    assert (behind_the_camera == UNKNOWN).all()


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
        compare(workspace, [0.01])
