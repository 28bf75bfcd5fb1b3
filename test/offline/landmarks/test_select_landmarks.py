import dataclasses
from collections import Counter

import numpy as np
import pytest
from synthetic_model import CAMERAS, look_at, make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.select_landmarks import (
    FEWEST,
    MIN_TRACK,
    parse_count,
    select_landmarks,
    view_cones,
)
from reloc_ros.offline.landmarks.spread import CELL_HOLDS, CELLS_ACROSS, VIEW_NEEDS
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.model.sfm import SfmModel


@pytest.fixture(scope="module")
def model() -> SfmModel:
    return make_model(images=12, points=400, noise_px=0.3)


def two_places() -> SfmModel:
    """Ten images of a place rich in points, five of another that is poor in them."""
    rng = np.random.default_rng(0)
    lens = CAMERAS["pinhole"]
    rich, poor = rng.uniform(-1, 1, (500, 3)), rng.uniform(-1, 1, (30, 3)) + np.array([40, 0, 0])
    points = np.concatenate([rich, poor])
    poses, seen = [], []
    for i in range(15):
        angle = 0.15 * i
        middle = np.array([0.0, 0, 0]) if i < 10 else np.array([40.0, 0, 0])
        center = middle + 4 * np.array([np.cos(angle), np.sin(angle), 0.3])
        poses.append(look_at(center, middle))
        rows = np.arange(500) if i < 10 else np.arange(500, 530)
        pixels = lens.project(poses[-1].apply(points[rows]))
        inside = lens.contains(pixels)
        seen += [(p, i, *px) for p, px in zip(rows[inside], pixels[inside], strict=True)]
    table = np.array(sorted(seen))
    return SfmModel(
        cameras={1: lens},
        names=tuple(f"{i:02d}.jpg" for i in range(15)),
        camera_ids=np.ones(15, dtype=np.int32),
        camera_from_map=tuple(poses),
        points_map=points,
        point_ids=np.arange(530, dtype=np.int64),
        colors=np.zeros((530, 3), dtype=np.uint8),
        errors_px=np.full(530, 0.5),
        observation_point=table[:, 0].astype(np.int32),
        observation_image=table[:, 1].astype(np.int32),
        observation_px=table[:, 2:],
    )


def test_as_many_different_landmarks_as_asked_for(model):
    landmarks = select_landmarks(model, 48).landmarks
    assert len(landmarks) == len(set(landmarks.ids.tolist())) == 48
    rows = np.searchsorted(model.point_ids, landmarks.ids)
    np.testing.assert_array_equal(model.point_ids[rows], landmarks.ids)
    np.testing.assert_array_equal(model.points_map[rows], landmarks.positions_map)


def test_every_view_sees_enough_and_well_spread(model):
    landmarks = select_landmarks(model, 32).landmarks
    labels = label_images(model, landmarks)
    for keypoints, states in zip(labels.keypoints_px, labels.visibility, strict=True):
        seen = keypoints[states == Visibility.SEEN]
        assert len(seen) >= 16
        cells = {tuple(cell) for cell in np.floor(seen / [640, 480] * 4).astype(int).tolist()}
        middle = {tuple(c) for c in np.floor(labels.keypoints_px[0] / [640, 480] * 4).astype(int).tolist()}
        assert len(cells) >= 0.6 * len(middle)
        assert seen.std(axis=0).min() > 0.08 * 640


def test_a_view_poor_in_points_is_served_first():
    model = two_places()
    landmarks = select_landmarks(model, 32).landmarks
    seen = np.count_nonzero(label_images(model, landmarks).visibility == Visibility.SEEN, axis=1)
    assert seen.min() >= 10
    longest = np.argsort(-model.track_lengths, kind="stable")[:32]  # the obvious choice
    assert (model.points_map[longest, 0] < 20).all()


def test_a_rich_corner_does_not_take_all_landmarks(model):
    """Half of the points in a corner that every view sees, the others everywhere."""
    positions = model.points_map.copy()
    corner = np.arange(len(positions)) % 4 > 0
    positions[corner] = 0.7 + 0.12 * positions[corner]
    clustered = dataclasses.replace(model, points_map=positions)
    chosen = np.searchsorted(model.point_ids, select_landmarks(clustered, 32).landmarks.ids)
    assert corner.mean() > 0.7 and corner[chosen].mean() < 0.35


def test_of_points_side_by_side_one_is_chosen(model):
    """The network could not tell them apart."""
    positions = model.points_map.copy()
    positions[1::2] = positions[::2] + 0.002
    crowded = dataclasses.replace(model, points_map=positions)
    chosen = np.searchsorted(model.point_ids, select_landmarks(crowded, 64).landmarks.ids)
    assert len(set((chosen // 2).tolist())) == 64


def test_choice_is_the_same_each_time(model):
    for count in (32, None):
        first, again = (select_landmarks(model, count).landmarks.ids for _ in range(2))
        np.testing.assert_array_equal(first, again)


def test_choice_does_not_depend_on_the_unit(model):
    bigger = dataclasses.replace(
        model,
        points_map=64 * model.points_map,
        camera_from_map=tuple(SE3(p.rotation, 64 * p.translation) for p in model.camera_from_map),
    )
    for count in (32, None):
        scaled, same = (select_landmarks(m, count).landmarks.ids for m in (bigger, model))
        np.testing.assert_array_equal(scaled, same)


def test_short_tracks_and_the_worst_points_are_never_chosen(model):
    bad = np.arange(len(model.points_map)) % 7 == 0
    doubtful = dataclasses.replace(model, errors_px=np.where(bad, 9.0, 0.5))
    chosen = np.searchsorted(model.point_ids, select_landmarks(doubtful, 64).landmarks.ids)
    assert not bad[chosen].any()
    assert (model.track_lengths[chosen] >= MIN_TRACK).all()


def test_more_landmarks_than_good_points_are_refused_with_both_numbers(model):
    with pytest.raises(
        RelocError, match=r"\d+ points .* fewer than the 5000 landmarks asked for; lower --count"
    ):
        select_landmarks(model, 5000)


@pytest.mark.parametrize("count", [-1, 0, 7])
def test_too_few_landmarks_to_localize_from_are_refused(model, count):
    with pytest.raises(RelocError, match=f"at least 8 landmarks to localize from, got {count}"):
        select_landmarks(model, count)


def test_points_in_the_same_place_do_not_hold_the_choice_up(model):
    positions = model.points_map.copy()
    positions[:] = positions[np.arange(len(positions)) % 20]  # twenty places only
    crowded = dataclasses.replace(model, points_map=positions)
    assert len(select_landmarks(crowded, 32).landmarks) == 32


def well_spread(labels, sizes=(640, 480)) -> np.ndarray:
    """Per view, the landmarks it sees, at most `CELL_HOLDS` of a cell: counted one by one."""
    counts = []
    for keypoints, states in zip(labels.keypoints_px, labels.visibility, strict=True):
        cells = Counter(
            tuple(np.floor((keypoint + 0.5) / sizes * CELLS_ACROSS).astype(int).tolist())
            for keypoint in keypoints[states == Visibility.SEEN]
        )
        counts.append(sum(min(n, CELL_HOLDS) for n in cells.values()))
    return np.array(counts)


def test_auto_takes_as_many_as_every_view_needs_and_no_more():
    model = make_model(images=12, points=1500, noise_px=0.3)
    chosen = select_landmarks(model)
    spread = well_spread(label_images(model, chosen.landmarks))
    np.testing.assert_array_equal(spread, chosen.spread)
    assert (spread >= VIEW_NEEDS).all()
    before = chosen.landmarks.subset(np.arange(len(chosen.landmarks) - 1))  # the last was still needed
    assert (well_spread(label_images(model, before)) < VIEW_NEEDS).any()


def test_auto_gives_a_view_poor_in_points_all_it_can_see():
    model = two_places()
    chosen = select_landmarks(model)
    poor = np.arange(15) >= 10
    assert (chosen.attainable[poor] < VIEW_NEEDS).all() and (chosen.attainable[~poor] >= VIEW_NEEDS).all()
    np.testing.assert_array_equal(chosen.spread[poor], chosen.attainable[poor])
    assert (chosen.spread[~poor] >= VIEW_NEEDS).all()


def test_auto_takes_more_where_views_have_less_in_common():
    """The same number of views of points, in one place or in two far from each other."""
    one = make_model(images=12, points=800)
    shifted = one.points_map + np.array([100.0, 0, 0])
    far = SE3(np.eye(3), np.array([-100.0, 0, 0]))
    two = dataclasses.replace(
        one,
        cameras=one.cameras,
        names=one.names + tuple(f"z{name}" for name in one.names),
        camera_ids=np.tile(one.camera_ids, 2),
        camera_from_map=one.camera_from_map + tuple(pose @ far for pose in one.camera_from_map),
        points_map=np.concatenate([one.points_map, shifted]),
        point_ids=np.concatenate([one.point_ids, one.point_ids + 10_000]),
        colors=np.tile(one.colors, (2, 1)),
        errors_px=np.tile(one.errors_px, 2),
        observation_point=np.concatenate([one.observation_point, one.observation_point + 800]),
        observation_image=np.concatenate([one.observation_image, one.observation_image + 12]),
        observation_px=np.tile(one.observation_px, (2, 1)),
    )
    assert len(select_landmarks(two).landmarks) > 1.7 * len(select_landmarks(one).landmarks)


def test_auto_stays_within_its_bounds(model):
    assert len(select_landmarks(model, most=24).landmarks) == 24
    tiny = dataclasses.replace(model, points_map=0.02 * model.points_map)  # in a cell or four of every view
    chosen = select_landmarks(tiny)
    assert chosen.attainable.max() < FEWEST == len(chosen.landmarks)
    with pytest.raises(RelocError, match="--max must be at least 20 landmarks, got 19"):
        select_landmarks(model, most=19)


def test_count_is_a_number_or_auto():
    assert parse_count("auto") is None and parse_count("48") == 48
    with pytest.raises(RelocError, match="--count is a whole number or auto, not 'many'"):
        parse_count("many")


def test_view_cone_holds_every_camera_that_saw_the_point(model):
    centers = model.centers_map[model.observation_image]
    directions, cones = view_cones(model.points_map, model.observation_point, centers)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    rays = model.centers_map[model.observation_image] - model.points_map[model.observation_point]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    cosines = np.einsum("ij,ij->i", rays, directions[model.observation_point])
    angles = np.arccos(np.clip(cosines, -1, 1))
    assert (angles <= cones[model.observation_point] + 1e-6).all()
    for point in range(0, len(cones), 50):  # and no more than that
        assert angles[model.observation_point == point].max() == pytest.approx(cones[point], abs=1e-6)
