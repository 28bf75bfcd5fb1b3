import cv2
import numpy as np
import pytest

from reloc_ros.demo.film import writer as filming
from reloc_ros.demo.film.trajectories import CAMERA, mapping
from reloc_ros.demo.scene.exposure import Exposure
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg


@pytest.fixture(scope="module")
def small_film(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    trajectory = mapping().part(slice(4))
    filming.film(folder, reading_corner(), trajectory, CAMERA, video=True)
    return folder, trajectory


def test_the_video_gives_back_every_frame(small_film):
    folder, trajectory = small_film
    video = cv2.VideoCapture(str(folder / "video.avi"))
    renderer = Renderer(reading_corner().faces, CAMERA)
    for pose in trajectory.camera_from_map:
        found, frame = video.read()
        assert found
        assert np.abs(frame.astype(int) - renderer.render(pose).image).mean() < 6
    assert not video.read()[0]


def test_the_truth_reads_back_as_poses_of_the_camera_in_the_map(small_film):
    folder, trajectory = small_film
    rows = np.loadtxt(folder / "truth.tum")
    np.testing.assert_allclose(rows[:, 0], trajectory.times_s, atol=1e-6)
    for row, pose in zip(rows, trajectory.camera_from_map, strict=True):
        x, y, z, w = row[4:]
        read = SE3.from_quaternion_wxyz((w, x, y, z), row[1:4]).inverse()
        assert center_error(read, pose) < 1e-6
        assert rotation_error_deg(read, pose) < 1e-5


def test_the_camera_file_is_in_the_convention_of_colmap(small_film):
    folder, _ = small_film
    fields = (folder / "cameras.txt").read_text().splitlines()[-1].split()
    assert fields[1:4] == ["OPENCV", "640", "480"]
    params = [float(field) for field in fields[4:]]
    assert params[2:4] == pytest.approx([CAMERA.cx + 0.5, CAMERA.cy + 0.5])


def test_pictures_are_written_one_by_one_when_no_video_is_wanted(tmp_path):
    filming.film(tmp_path, reading_corner(), mapping(frames=2), CAMERA, video=False)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["00000.jpg", "00001.jpg"]


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RelocError, match="cannot write the film"):
        filming.film(tmp_path / "taken", reading_corner(), mapping(frames=2))


def test_exposure_leaves_the_picture_alone_unless_asked():
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    np.testing.assert_array_equal(Exposure().record(image), image)
    dark = Exposure(brightness=0.5, gamma=1.5, cast=(0.8, 1, 1), noise=2.0)
    assert dark.record(image, 3).mean() < 0.5 * image.mean()
    np.testing.assert_array_equal(dark.record(image, 3), dark.record(image, 3))
    assert (dark.record(image, 3) != dark.record(image, 4)).any()
