import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.offline.bundling import trial_pictures
from reloc_ros.offline.bundling.trial_pictures import Photo, of_no_place, of_the_place, source_pixels

CAMERAS = {
    "pinhole": Camera("pinhole", 640, 480, 520.0, 530.0, 322.0, 238.0),
    "distorted, shrunk": Camera(
        "brown", 800, 600, 620.0, 625.0, 405.0, 295.0, (-0.2, 0.05, 1e-3, -1e-3, 0, 0, 0, 0)
    ),
    "fisheye": Camera("fisheye", 640, 480, 280.0, 280.0, 320.0, 240.0, (0.02, -0.01, 0, 0)),
    "small": Camera("pinhole", 320, 240, 260.0, 260.0, 160.0, 120.0),
}
POSE = SE3.from_rotation_vector([0.1, -0.2, 0.3], [0.2, 0.1, 4.0])


def photo_of(points_map: np.ndarray, camera: Camera) -> Photo:
    """Each point is a white blob on black, its middle at the projection."""
    rows, columns = np.mgrid[: camera.height, : camera.width]
    radius = camera.width / 80
    image = np.zeros((camera.height, camera.width), np.float64)
    for x, y in camera.project(POSE.apply(points_map)):
        image += np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return Photo(np.clip(255 * image, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2), camera, POSE)


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)
def test_a_turned_camera_sees_the_scene_where_its_pose_says(camera, monkeypatch):
    monkeypatch.setattr(trial_pictures, "CLEAN_SHARE", 1.0)
    point_map = POSE.inverse().apply(
        [[0.05, -0.02, 4.0]]
    )  # in the middle, far from the turned picture's border
    photo = photo_of(point_map, camera)
    for seed in range(8):
        turned = of_the_place(photo, seed)
        assert turned.image.shape == (turned.camera.height, turned.camera.width, 3)
        (expected,) = turned.camera.project(turned.camera_from_map.apply(point_map))
        radius = camera.width // 16
        left, top = np.rint(expected).astype(int) - radius
        window = turned.image[top : top + 2 * radius + 1, left : left + 2 * radius + 1, 0].astype(float)
        rows, columns = np.indices(window.shape)
        found = np.array([(columns * window).sum(), (rows * window).sum()]) / window.sum() + [left, top]
        np.testing.assert_allclose(found, expected, atol=0.25)


@pytest.mark.parametrize("source", CAMERAS.values(), ids=CAMERAS)
def test_pixels_are_looked_up_where_each_by_itself_would_be(source):
    target = Camera("pinhole", 638, 475, 500.0, 500.0, 320.0, 240.0)
    turned = SE3.from_rotation_vector(np.radians([6, -6, 25]), np.zeros(3))
    found = source_pixels(target, source, turned)
    rows, columns = np.mgrid[: target.height, : target.width]
    rays = target.unproject(np.stack([columns, rows], axis=-1).reshape(-1, 2))
    expected = source.project(turned.apply(np.column_stack([rays, np.ones(len(rays))])))
    np.testing.assert_allclose(found.reshape(-1, 2), expected, atol=0.05)


def test_pixels_that_the_other_camera_cannot_see_are_far_outside():
    camera = CAMERAS["pinhole"]
    away = SE3.from_rotation_vector([0, np.radians(100), 0], np.zeros(3))
    found = source_pixels(camera, camera, away)
    assert np.isfinite(found).all() and (found == -1e4).any()


def test_a_turned_camera_stays_where_it_is_and_turns_no_farther_than_is_said():
    photo = photo_of(np.zeros((1, 3)), CAMERAS["pinhole"])
    for seed in range(30):
        turned = of_the_place(photo, seed)
        assert center_error(turned.camera_from_map, POSE) < 1e-9
        limit = np.linalg.norm(
            [trial_pictures.MAX_ROLL_DEG, trial_pictures.MAX_TURN_DEG, trial_pictures.MAX_TURN_DEG]
        )
        assert rotation_error_deg(turned.camera_from_map, POSE) <= limit
        assert (turned.image.shape[1], turned.image.shape[0]) == (turned.camera.width, turned.camera.height)


def test_pictures_are_the_same_for_the_same_seed_and_others_for_another():
    photo = Photo(
        np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8), CAMERAS["pinhole"], POSE
    )
    for make in (of_the_place, of_no_place):
        np.testing.assert_array_equal(make(photo, 3).image, make(photo, 3).image)
        assert (
            make(photo, 3).image.shape != make(photo, 4).image.shape
            or (make(photo, 3).image != make(photo, 4).image).any()
        )


def test_pictures_of_no_place_are_mirrored_upside_down_or_scrambled_in_turn():
    image = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (480, 1, 3))
    image[:160] //= 4
    photo = Photo(image, CAMERAS["pinhole"], POSE)
    kinds = set()
    for seed in range(20):
        turned, spoiled = (
            trial_pictures._turn(photo, np.random.default_rng([seed, 1])),
            of_no_place(photo, seed),
        )
        flips = [np.array_equal(spoiled.image, np.flip(turned.image, axis)) for axis in (0, 1)]
        kinds.add(flips.index(True) if any(flips) else 2)
        assert not np.array_equal(spoiled.image, turned.image)
    assert kinds == {0, 1, 2}


def test_scrambled_pictures_have_all_their_tiles_in_other_places():
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    shuffled = trial_pictures._shuffle(image, 8, np.random.default_rng(2))
    assert shuffled.shape == image.shape
    tiles = [
        {picture[6 * r : 6 * r + 6, 8 * c : 8 * c + 8].tobytes() for r in range(8) for c in range(8)}
        for picture in (image, shuffled)
    ]
    assert tiles[0] == tiles[1]
    assert np.mean(image == shuffled) < 0.1
