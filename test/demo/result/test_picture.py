import cv2
import numpy as np
import pytest
from demo_runs import make_sightings, off_by

from reloc_ros.demo.film.trajectories import CAMERA, looking_at, stream
from reloc_ros.demo.result.picture import Example, choose_examples, draw
from reloc_ros.demo.result.record import View, summarize
from reloc_ros.demo.result.wireframe import draw_wireframe
from reloc_ros.demo.scene.faces import box
from reloc_ros.demo.scene.places import Scene
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.demo.scene.surfaces import wood

BRIGHTNESS = [exposure.brightness for exposure in stream(8.0).exposures]


@pytest.fixture(scope="module")
def crate():
    """One box, alone in the dark."""
    return Scene(tuple(box("crate", np.random.default_rng(0), wood, (0, 0, 0), (1.0, 1.0, 1.0))))


def test_examples_are_the_worst_the_darkest_others_and_one_lost_in_the_garden():
    worst = 30
    chosen = choose_examples(make_sightings(wrong_at=(worst,)), BRIGHTNESS)
    assert len({s.index for s in chosen}) == 5
    assert [s.time_s for s in chosen] == sorted(s.time_s for s in chosen)
    assert worst in [s.index for s in chosen]
    assert min(BRIGHTNESS) == min(BRIGHTNESS[s.index] for s in chosen)
    assert [s.view for s in chosen if s.estimate is None] == [View.AWAY]


def test_examples_of_a_run_without_any_pose_are_lost_ones():
    walk = stream(8.0)
    chosen = choose_examples(make_sightings(lost_at=tuple(range(len(walk)))), BRIGHTNESS)
    assert [s.estimate for s in chosen] == [None]
    assert choose_examples([], BRIGHTNESS) == []


def test_the_picture_is_drawn_from_good_bad_and_short_runs(tmp_path, crate):
    walk = stream(8.0)
    runs = (
        make_sightings(),
        make_sightings(wrong_at=(20, 21), pose_while_away=True),
        make_sightings(lost_at=tuple(range(len(walk)))),
        make_sightings(silent_at=tuple(range(len(walk)))),
        make_sightings()[:1],
    )
    for number, sightings in enumerate(runs):
        image = np.full((480, 640, 3), 90, np.uint8)
        chosen = choose_examples(sightings, BRIGHTNESS)[:1]
        examples = [Example(s, image, np.array([[100.0, 100.0]]), np.array([True])) for s in chosen]
        path = tmp_path / f"{number}.png"
        draw(path, sightings, summarize(sightings), examples, crate, CAMERA)
        assert cv2.imread(str(path)).shape == (960, 1600, 3)


def test_the_wireframe_fits_the_rendered_edges_only_from_the_right_pose(crate):
    pose = looking_at((2.5, -2.0, 1.6), (0, 0, 0.5))
    image = Renderer(crate.faces, CAMERA).render(pose).image
    silhouette = cv2.morphologyEx((image.max(2) > 8).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    distance = cv2.distanceTransform(1 - silhouette, cv2.DIST_L2, 5)

    def silhouette_covered(estimate) -> float:
        drawn = draw_wireframe(np.zeros_like(image), crate, CAMERA, estimate)
        lines = cv2.distanceTransform((drawn.max(2) == 0).astype(np.uint8), cv2.DIST_L2, 5)
        return float(np.mean(lines[distance == 0] < 2))

    assert silhouette_covered(pose) > 0.95
    assert silhouette_covered(off_by(pose, 0.1, 3.0)) < 0.4


def test_the_wireframe_leaves_out_edges_at_the_back(crate):
    pose = looking_at((0, -3.0, 0.5), (0, 0, 0.5))
    drawn = draw_wireframe(np.zeros((480, 640, 3), np.uint8), crate, CAMERA, pose)
    back = CAMERA.project(pose.apply([[0.5, 0.5, 0.5]]))[0]  # middle of a vertical edge, seen through the box
    column, row = np.rint(back).astype(int)
    assert drawn[row - 3 : row + 4, column - 3 : column + 4].max() == 0
