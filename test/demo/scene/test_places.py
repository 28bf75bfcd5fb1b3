import cv2
import numpy as np

from reloc_ros.demo.film.trajectories import CAMERA, mapping, stream
from reloc_ros.demo.scene import places as scenes
from reloc_ros.demo.scene.renderer import Renderer


def test_a_seed_gives_the_same_place_again():
    first, second = scenes.reading_corner(), scenes.reading_corner.__wrapped__()
    assert first is not second
    assert [face.name for face in first.faces] == [face.name for face in second.faces]
    for a, b in zip(first.faces, second.faces, strict=True):
        np.testing.assert_array_equal(a.texture, b.texture)


def test_faces_are_rectangles_that_look_into_the_room():
    middle = np.array([1.65, 1.2, 1.2])
    for face in scenes.reading_corner().faces:
        assert abs(face.right_map @ face.down_map) < 1e-9
        if (
            "wall" in face.name
            or face.name in ("floor", "rug", "lawn", "canvas")
            or face.name.startswith("backdrop")
        ):
            assert face.normal_map @ (middle - face.corner_map) > 0


def test_both_places_give_sift_a_thousand_features_in_every_picture():
    sift = cv2.SIFT_create()
    for scene in (scenes.reading_corner(), scenes.other_place()):
        renderer = Renderer(scene.faces, CAMERA)
        for pose in mapping().camera_from_map[::14]:
            assert len(sift.detect(renderer.render(pose).image)) > 1000


def consistent_matches(image_a, image_b):
    """How many SIFT matches agree on one fundamental matrix."""
    sift = cv2.SIFT_create(3000)
    (points_a, descriptors_a), (points_b, descriptors_b) = (
        sift.detectAndCompute(i, None) for i in (image_a, image_b)
    )
    matches = cv2.BFMatcher().knnMatch(descriptors_a, descriptors_b, k=2)
    pairs = [m for m, n in matches if m.distance < 0.75 * n.distance]
    if len(pairs) < 15:
        return 0
    source = np.float32([points_a[m.queryIdx].pt for m in pairs])
    target = np.float32([points_b[m.trainIdx].pt for m in pairs])
    _, inliers = cv2.findFundamentalMat(source, target, cv2.USAC_MAGSAC, 1.0, 0.999, 2000)
    return 0 if inliers is None else int(inliers.sum())


def test_the_other_place_is_not_the_mapped_one_though_it_is_of_the_same_kind():
    here, there = (Renderer(s.faces, CAMERA) for s in (scenes.reading_corner(), scenes.other_place()))
    poses = mapping().camera_from_map
    for index in (0, 40, 80):
        image = here.render(poses[index]).image
        assert consistent_matches(image, here.render(poses[index + 3]).image) > 300
        assert consistent_matches(image, there.render(poses[index]).image) < 60


def room_share(trajectory, indices):
    scene = scenes.reading_corner()
    renderer = Renderer(scene.faces, CAMERA.resized(160, 120), supersampling=1)
    return np.array(
        [scene.is_room[renderer.render(trajectory.camera_from_map[i]).faces].mean() for i in indices]
    )


def test_the_stream_shows_the_room_where_it_says_so_and_only_garden_while_away():
    trajectory = stream()
    in_view, away = np.flatnonzero(trajectory.in_view), np.flatnonzero(trajectory.away)
    assert (room_share(trajectory, in_view[::4]) > 0.5).all()
    assert (room_share(trajectory, away) == 0).all()
    assert away.tolist() == list(range(116, 166))
    assert not (trajectory.in_view & trajectory.away).any()


def test_the_mapping_walk_looks_at_the_room_and_keeps_its_distance():
    trajectory = mapping()
    scene = scenes.reading_corner()
    renderer = Renderer(scene.faces, CAMERA.resized(160, 120), supersampling=1)
    for pose in trajectory.camera_from_map[::4]:
        view = renderer.render(pose)
        assert scene.is_room[view.faces].mean() > 0.8
        assert view.depths.min() > 0.3


def test_the_walks_are_smooth_and_differ():
    walks = mapping(), stream()
    for trajectory in walks:
        centers = np.array([pose.center for pose in trajectory.camera_from_map])
        steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
        assert steps.max() < 0.15
        for a, b in zip(trajectory.camera_from_map, trajectory.camera_from_map[1:], strict=False):
            assert np.trace(a.rotation @ b.rotation.T) > 1 + 2 * np.cos(np.radians(10))
    mapped, streamed = (np.array([pose.center for pose in t.camera_from_map]) for t in walks)
    nearest = np.linalg.norm(streamed[:, None] - mapped[None], axis=2).min(1)
    assert np.median(nearest) > 0.05
