from pathlib import Path

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline import steps
from reloc_ros.offline.landmarks.select_landmarks import attainable_spread, cloud_landmarks, select_landmarks
from reloc_ros.offline.landmarks.select_step import select_points
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS, well_spread
from reloc_ros.offline.landmarks.visibility import label_images, seen_pairs
from reloc_ros.offline.workspace import Workspace

MODEL = make_model(images=12, points=1500, noise_px=0.3)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws", tmp_path, MODEL.names, "none")
    MODEL.save(workspace.model_path)
    return workspace


def listed(tmp_path: Path, positions) -> Path:
    np.savetxt(tmp_path / "points.txt", positions, header="x y z")
    return tmp_path / "points.txt"


def test_how_landmarks_serve_the_views_is_the_same_by_whomever_they_were_chosen(tmp_path):
    chosen = select_landmarks(MODEL, 40)
    again = select_points(MODEL, listed(tmp_path, chosen.landmarks.positions_map))
    np.testing.assert_array_equal(again.landmarks.ids, chosen.landmarks.ids)
    np.testing.assert_array_equal(again.spread, chosen.spread)
    known = seen_pairs(MODEL, chosen.landmarks)
    for one in (chosen, again):
        pairs, expected = np.stack(one.pairs), np.stack([known.images, known.landmarks])
        np.testing.assert_array_equal(pairs[:, np.lexsort(pairs)], expected[:, np.lexsort(expected)])
    np.testing.assert_array_equal(again.attainable, chosen.attainable)


def test_attainable_is_what_all_candidates_together_give():
    chosen = select_landmarks(MODEL)
    np.testing.assert_array_equal(attainable_spread(MODEL), chosen.attainable)
    everything = well_spread(label_images(MODEL, cloud_landmarks(MODEL)), MODEL.image_sizes)
    assert (chosen.attainable <= everything).all()


def test_views_that_the_bound_leaves_short_are_named(workspace):
    short = steps.select_step(workspace, None, 30)
    assert short["landmarks"] == 30 and short["unmet_images"]
    bounded = select_landmarks(MODEL, None, 30)
    named = [MODEL.names[image] for image in np.flatnonzero(bounded.spread < VIEW_NEEDS)]
    assert short["unmet_images"] + short["poor_images"] == named
    assert steps.select_step(workspace, None)["unmet_images"] == []


def test_no_view_sees_fewer_than_it_needs_unless_it_has_too_few_points_or_the_bound_is_reached(workspace):
    chosen = select_landmarks(MODEL)
    assert len(chosen.landmarks) < 500
    assert not chosen.unmet.any()


def test_a_list_of_points_becomes_the_landmarks_and_is_read_again_when_it_changes(workspace, tmp_path):
    file = listed(tmp_path, MODEL.points_map[:20])
    done = steps.select_step(workspace, None, points=file)
    assert (done["chosen"], done["landmarks"]) == ("points", 20)
    np.testing.assert_array_equal(Landmarks.load(workspace.landmarks_path).ids, MODEL.point_ids[:20])
    made = workspace.landmarks_path.stat().st_mtime_ns
    steps.select_step(workspace, None, points=file)
    assert workspace.landmarks_path.stat().st_mtime_ns == made
    assert steps.select_step(workspace, None, points=listed(tmp_path, MODEL.points_map[:9]))["landmarks"] == 9


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(7, "lists 7 points; at least 8 are needed"), (31, "31 points, more than --max 30")],
)
def test_too_few_or_too_many_points_are_refused_and_change_nothing(workspace, tmp_path, count, sentence):
    steps.select_step(workspace, 12)
    before = workspace.landmarks_path.read_bytes()
    with pytest.raises(RelocError, match=sentence):
        steps.select_step(workspace, None, 30, points=listed(tmp_path, MODEL.points_map[:count]))
    assert workspace.landmarks_path.read_bytes() == before


def test_a_point_that_no_image_surely_shows_is_refused(tmp_path):
    """In the cloud, but in front of the cameras rather than on anything: what is around it lies deeper."""
    sparse = make_model(images=12, points=60)
    outside = sparse.points_map[np.argmax(sparse.points_map[:, 0])] + [0.22, 0, 0]
    positions = np.vstack([sparse.points_map[:9], outside])
    with pytest.raises(RelocError, match=r"points\.txt, line 11: no map image surely shows this point"):
        select_points(sparse, listed(tmp_path, positions))
