import dataclasses

import cv2
import numpy as np
import pytest
from reference_corner import CAMERA, POSES, picture, references
from test_localizer_refined import TRUTH, make_localizer

from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localized, Lost, LostReason
from reloc_ros.offline.running.mesh import Mesh, axes
from reloc_ros.offline.running.overlay import MapCloud, Overlay
from reloc_ros.offline.sources.frame import Frame

FRAME = Frame("f", picture(3), camera=CAMERA)
BANNER = 44
"""Rows of the banner, at most."""


@pytest.fixture(scope="module")
def result() -> Localized:
    found = make_localizer().localize(picture(3), CAMERA)
    assert isinstance(found, Localized)
    return dataclasses.replace(found, camera_from_map=TRUTH)


@pytest.fixture(scope="module")
def overlay() -> Overlay:
    nowhere = axes(0.1).placed(SE3(np.eye(3), np.array([50.0, 50.0, 50.0])), 1.0)
    return Overlay(MapCloud(make_localizer().bundle), nowhere, "m")


def lost(result: Localized, detail: str = "why not") -> Lost:
    return Lost(LostReason.WEAK_EVIDENCE, detail, result.keypoints, result.inliers, {})


def without_keypoints(result: Localized) -> Localized:
    return dataclasses.replace(
        result,
        keypoints=result.keypoints.subset(np.zeros(len(result.keypoints), bool)),
        inliers=np.zeros(0, bool),
    )


def test_a_lost_image_shows_itself_and_a_red_banner_and_nothing_else(overlay, result):
    overlay.picture(FRAME, result)
    drawn = overlay.picture(FRAME, lost(result))
    assert (drawn[BANNER:] == FRAME.image[BANNER:]).all()
    blue, _, red = drawn[:BANNER].reshape(-1, 3).mean(axis=0)
    assert red > blue + 40
    assert FRAME.image is not drawn and (FRAME.image == picture(3)).all()


def test_the_banner_tells_the_reason(overlay, result):
    one, other = (overlay.picture(FRAME, lost(result, detail)) for detail in ("too dark", "too bright"))
    assert (one != other).any()


def test_long_reasons_fit_into_the_picture(overlay, result):
    drawn = overlay.picture(FRAME, lost(result, 40 * "long sentence "))
    assert (drawn[:BANNER, -4:].max(axis=2) < 250).all()  # no letter is cut by the edge


def test_an_image_with_a_pose_has_a_green_banner(overlay, result):
    drawn = overlay.picture(FRAME, result)
    blue, green, red = drawn[:BANNER].reshape(-1, 3).mean(axis=0)
    assert green > blue + 40 and green > red + 40


def test_points_are_where_the_pose_puts_them_in_the_colour_of_their_depth(overlay, result):
    drawn = overlay.picture(FRAME, without_keypoints(result))
    points = TRUTH.apply(overlay.cloud.visible_map(TRUTH))
    pixels = np.rint(CAMERA.project(points)).astype(int)
    inside = CAMERA.contains(pixels) & (pixels[:, 1] > BANNER) & (pixels[:, 1] < 440)
    near, far = overlay.cloud.depths
    levels = np.rint(255 * (1 - np.clip((points[:, 2] - near) / (far - near), 0, 1))).astype(np.uint8)
    colors = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_TURBO)[:, 0].astype(int)
    there = drawn[pixels[inside, 1], pixels[inside, 0]].astype(int)
    assert inside.sum() > 300
    # A few are under nearer ones.
    assert (np.abs(there - colors[inside]).max(axis=1) < 8).mean() > 0.85


def test_the_range_of_depths_is_what_the_reference_views_see(overlay):
    depths = np.concatenate(
        [
            pose.apply(references().points_map[references().seen_point[references().seen_view == view]])[:, 2]
            for view, pose in enumerate(references().camera_from_map)
        ]
    )
    near, far = overlay.cloud.depths
    assert depths.min() <= near < np.median(depths) < far <= depths.max()


def test_only_points_that_the_nearest_views_saw_are_drawn():
    bundle = make_localizer().bundle
    views = bundle.references
    # Twice the views: the second time from the other side, of points that are all elsewhere.
    turned = SE3.from_rotation_vector([0, np.pi, 0], np.zeros(3))
    more = dataclasses.replace(
        views,
        files=views.files * 2,
        cameras=views.cameras * 2,
        camera_from_map=views.camera_from_map + tuple(turned @ pose for pose in views.camera_from_map),
        points_map=np.concatenate([views.points_map, views.points_map + 5]),
        normals_map=np.concatenate([views.normals_map] * 2),
        covariances_map=np.concatenate([views.covariances_map] * 2),
        seen_view=np.concatenate([views.seen_view, views.seen_view + len(views.files)]),
        seen_point=np.concatenate([views.seen_point, views.seen_point + len(views.points_map)]),
        seen_px=np.concatenate([views.seen_px] * 2),
    )
    cloud = MapCloud(dataclasses.replace(bundle, references=more))
    visible = cloud.visible_map(TRUTH)
    assert len(visible) > 500 and visible.max() < 3
    assert cloud.visible_map(turned @ TRUTH).min() > 3


def test_without_reference_views_the_landmarks_in_view_are_the_cloud():
    bundle = make_localizer(with_references=False).bundle
    cloud = MapCloud(bundle)
    assert len(cloud.visible_map(TRUTH)) == len(bundle.landmarks)
    behind = SE3(
        TRUTH.rotation, -TRUTH.rotation @ (2 * bundle.landmarks.positions_map.mean(axis=0) - TRUTH.center)
    )
    assert len(cloud.visible_map(behind)) < len(bundle.landmarks) / 4
    assert cloud.depths[0] < cloud.depths[1]


def test_content_stands_where_it_was_put_and_before_the_cloud(overlay, result):
    corners = np.array([[[0.6, 0.6, 0.5], [1.0, 0.6, 0.5], [0.8, 0.8, 0.9]]])
    mesh = Mesh(corners, np.array([[255, 0, 255]], np.uint8))
    drawn = dataclasses.replace(overlay, content=mesh).picture(FRAME, without_keypoints(result))
    middle = np.rint(CAMERA.project(TRUTH.apply(corners[0].mean(axis=0)[None]))[0]).astype(int)
    blue, green, red = drawn[middle[1], middle[0]]
    assert green == 0 and blue == red > 80


def test_keypoints_are_green_where_used_and_red_where_rejected(overlay, result):
    keypoints = dataclasses.replace(
        result.keypoints.subset(np.arange(2)), positions_px=np.array([[300.0, 200.0], [400.0, 300.0]])
    )
    drawn = overlay.picture(
        FRAME, dataclasses.replace(result, keypoints=keypoints, inliers=np.array([True, False]))
    )
    assert drawn[200, 300].argmax() == 1 and drawn[300, 400].argmax() == 2


def test_a_picture_is_turned_for_people_after_drawing(overlay, result):
    upright = overlay.picture(FRAME, result)
    turned = overlay.picture(FRAME, result, cv2.ROTATE_90_CLOCKWISE)
    assert turned.shape == (640, 480, 3)
    inner = cv2.rotate(turned, cv2.ROTATE_90_COUNTERCLOCKWISE)[BANNER:-60, 100 : -BANNER - 20]
    assert (inner == upright[BANNER:-60, 100 : -BANNER - 20]).all()


def test_grey_images_are_drawn_into_as_well(overlay, result):
    grey = dataclasses.replace(FRAME, image=cv2.cvtColor(FRAME.image, cv2.COLOR_BGR2GRAY))
    assert overlay.picture(grey, result).shape == (480, 640, 3)
    assert overlay.picture(grey, lost(result)).shape == (480, 640, 3)


def test_any_pose_can_be_drawn(overlay, result):
    for pose in (*POSES, SE3.identity(), SE3.from_rotation_vector([0, np.pi, 0], [1, 2, 3])):
        overlay.picture(FRAME, dataclasses.replace(result, camera_from_map=pose))
