import signal
import time

import numpy as np
import pytest

from reloc_ros.demo.film.rendered_walk import RenderedWalk, stop_rendering
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    walk = RenderedWalk.within(tmp_path_factory.mktemp("walk"), rate_hz=8.0, seconds=0.5)
    assert walk.ready() == 0
    process = walk.start_rendering()
    assert process.wait(120) == 0
    return walk


def test_rendered_pictures_are_those_of_the_walk(walk):
    assert walk.ready() == len(walk) == 4
    renderer = Renderer(reading_corner().faces, CAMERA)
    for index in (0, 3):
        picture = renderer.render(walk.trajectory.camera_from_map[index]).image
        assert np.abs(walk.picture(index).astype(int) - picture).mean() < 5


def test_a_second_start_finds_the_pictures_and_a_longer_walk_keeps_them(walk):
    again = RenderedWalk.within(walk.folder.parent, rate_hz=8.0, seconds=1.0)
    assert again.ready() == 4
    assert len(again) == 8


def test_pictures_made_by_other_code_are_thrown_away(walk):
    old = walk.folder.parent / "stream_0123456789_8hz"
    old.mkdir()
    RenderedWalk.within(walk.folder.parent, rate_hz=8.0, seconds=0.5)
    assert not old.exists()
    assert walk.ready() == 4


def test_the_kept_room_has_the_shape_of_the_scene_without_the_garden(walk):
    np.testing.assert_allclose(walk.room().edges_map, reading_corner().edges_map)


def test_rendering_and_its_workers_end_when_told(tmp_path):
    process = RenderedWalk.within(tmp_path, rate_hz=8.0, seconds=20).start_rendering()
    time.sleep(1.0)
    stop_rendering(process)
    assert process.returncode == -signal.SIGTERM


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RelocError, match="cannot keep the demo's pictures"):
        RenderedWalk.within(tmp_path / "taken", 8.0)


def test_a_damaged_picture_is_refused_with_a_sentence(walk, tmp_path):
    damaged = RenderedWalk.within(tmp_path, rate_hz=8.0, seconds=0.5)
    (damaged.folder / "00000.jpg").write_bytes(b"")
    with pytest.raises(RelocError, match="cannot be read"):
        damaged.picture(0)
