import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import report_workspace as made
from synthetic_model import CAMERAS, look_at

from reloc_ros.geometry import SE3
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.progress import silent
from reloc_ros.offline.report import lost_map as lost
from reloc_ros.offline.report.collect import collect
from reloc_ros.offline.report.lost_view import lost_section
from reloc_ros.offline.report.place import ground_of, roll_quarter


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    workspace = made.make_workspace(tmp_path_factory.mktemp("lost"))
    made.advance(workspace, "evaluated")
    return collect(workspace)


@pytest.fixture(scope="module")
def visible(facts):
    return lost.Visible(facts.known, facts.landmarks, facts.labels)


def test_from_where_map_views_were_taken_it_expects_what_they_saw(facts, visible):
    sure = visible(facts.known.centers_map)
    states = facts.labels.visibility
    inside = np.isfinite(facts.labels.keypoints_px).all(axis=2)
    assert sure[(states == Visibility.SEEN) & inside].mean() > 0.8
    assert (sure >= 0).all() and (sure <= 1).all()


def test_nothing_is_expected_where_no_view_has_been(facts, visible):
    behind = -3 * facts.known.centers_map.mean(axis=0)
    assert visible(behind[None]).max() < 0.05
    far = 20 * facts.known.centers_map.mean(axis=0)
    assert visible(far[None]).max() < 0.05


def test_the_grid_agrees_with_single_cameras(facts, visible):
    """The vectorized count of a cell is that of a pinhole camera put there, the best of the pitches."""
    ground = ground_of(facts.known)
    grid = lost.lost_map(facts.known, visible, ground)
    pitches = np.quantile(np.arcsin(facts.known.rotations[:, 2] @ ground.ground_from_map[2]), (0.1, 0.5, 0.9))
    rng = np.random.default_rng(0)
    for _ in range(40):
        cell = [int(rng.integers(n)) for n in grid.expected.shape]
        center = np.array([grid.axes[i][cell[i]] for i in range(3)]) @ ground.ground_from_map
        counts = []
        for pitch in pitches:
            turn = lost._looking(grid.headings_rad[cell[3]], pitch, roll_quarter(facts.known, ground))
            rotation = turn @ ground.ground_from_map
            counts.append(visible.expected(CAMERAS["pinhole"], SE3(rotation, -rotation @ center)))
        assert grid.expected[tuple(cell)] == pytest.approx(max(counts), abs=1e-3)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("heading", [0.0, 1.0, 4.0])
def test_a_camera_looks_along_its_heading_however_it_is_held(quarter, heading):
    camera_from_ground = lost._looking(heading, 0.3, quarter)
    np.testing.assert_allclose(camera_from_ground @ camera_from_ground.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera_from_ground) == pytest.approx(1)
    forward = camera_from_ground[2]
    assert np.arctan2(forward[1], forward[0]) % (2 * np.pi) == pytest.approx(heading)
    assert forward[2] == pytest.approx(np.sin(0.3))
    up_in_picture = camera_from_ground @ [0, 0, 1]
    side = {0: -1, 1: 0, 2: 1, 3: 0}[quarter]
    assert np.sign(round(up_in_picture[1], 9)) == side
    assert np.sign(round(up_in_picture[0], 9)) == {0: 0, 1: 1, 2: 0, 3: -1}[quarter]


def test_the_share_found_makes_prediction_and_outcome_agree(facts, visible):
    found = lost.checks(visible, facts.model, facts.ours[:1])
    assert [check.name for check in found] == [o.name for o in facts.ours[0].outcomes]
    share = lost.landmarks_found(found)
    ratios = [check.inliers / (share * check.predicted) for check in found]
    assert np.median(ratios) == pytest.approx(1)


def test_classes_begin_at_what_the_localizer_needs():
    edges = [0, lost.FEWEST - 0.1, lost.FEWEST, 2 * lost.FEWEST, 4 * lost.FEWEST, 500]
    assert lost.class_of(np.array(edges)).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("spread", [(0, 0, 0), (0, 0, 2), (3, 0, 0), (0, 5, 1)])
def test_cameras_in_one_place_or_on_a_line_have_a_map_too(facts, spread):
    along = np.linspace(-0.5, 0.5, len(facts.known.names))[:, None] * spread
    centers = np.array([4.0, 0, 1]) + along
    poses = tuple(look_at(center, np.zeros(3)) for center in centers)
    line = dataclasses.replace(facts.known, camera_from_map=poses)
    moved = dataclasses.replace(facts, known=line)
    section = lost_section(moved, ground_of(line), silent)
    assert len(section.charts) in (3, 4)
    for _, chart in section.charts:
        assert ET.fromstring(str(chart)).tag == "svg" and "nan" not in chart
