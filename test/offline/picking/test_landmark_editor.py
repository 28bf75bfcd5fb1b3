import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks, select_landmarks
from reloc_ros.offline.landmarks.spread import well_spread
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.picking.landmark_editor import LandmarkEditor, no_landmarks, pick

MODEL = make_model(images=8, points=150, noise_px=0.3)
SAVED = select_landmarks(MODEL, 24).landmarks
EDITOR = LandmarkEditor(MODEL, SAVED)  # making one takes a moment


def editor(draft: Landmarks | None = None) -> LandmarkEditor:
    return LandmarkEditor(MODEL, SAVED, draft)


def same(a: Landmarks, b: Landmarks) -> bool:
    fields = ("ids", "positions_map", "directions_map", "view_cones_rad")
    return all(np.array_equal(getattr(a, field), getattr(b, field)) for field in fields)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 149)),
        st.tuples(st.just("remove"), st.integers(0, 999)),
        st.tuples(st.sampled_from(["undo", "redo", "revert", "save"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(CHANGES)
def test_it_is_a_list_with_a_history(changes):
    """The same as a plain list of ids, every state of which is kept."""
    edited = editor()
    ids, saved = SAVED.ids.tolist(), SAVED.ids.tolist()
    past, future = [], []
    for what, number in changes:
        after = list(ids)
        if what == "add":
            identity = int(MODEL.point_ids[number])
            if identity in ids:
                with pytest.raises(RelocError, match="a landmark at this point already"):
                    edited.add(number)
            else:
                assert edited.add(number) == len(ids)
                after.append(identity)
        elif what == "remove" and ids:
            edited.remove(number % len(ids))
            del after[number % len(ids)]
        elif what == "revert":
            edited.revert()
            after = list(saved)
        elif what == "save":
            edited.mark_saved()
            saved = list(ids)
        elif what == "undo":
            edited.undo()
            if past:
                future.append(ids)
                ids = after = past.pop()
        elif what == "redo":
            edited.redo()
            if future:
                past.append(ids)
                ids = after = future.pop()
        if after != ids:
            past.append(ids)
            future, ids = [], after
        assert edited.landmarks.ids.tolist() == ids
        assert edited.unsaved == (ids != saved)
        assert (bool(edited._past), bool(edited._future)) == (bool(past), bool(future))
    rows = np.searchsorted(MODEL.point_ids, edited.landmarks.ids)
    assert same(edited.landmarks, cloud_landmarks(MODEL).subset(rows))
    if len(edited):
        fresh = label_images(MODEL, edited.landmarks)
        np.testing.assert_array_equal(edited.labels.visibility, fresh.visibility)
        np.testing.assert_array_equal(edited.labels.keypoints_px, fresh.keypoints_px)
        np.testing.assert_array_equal(edited.selection.spread, well_spread(fresh, MODEL.image_sizes))


def test_undoing_everything_gives_back_what_was_saved():
    edited = editor()
    for landmark in (3, 0, 10):
        edited.remove(landmark)
    assert edited.unsaved and not same(edited.landmarks, SAVED)
    while edited._past:
        edited.undo()
    assert same(edited.landmarks, SAVED) and not edited.unsaved


def test_it_starts_from_nothing():
    edited = LandmarkEditor(MODEL, no_landmarks())
    assert len(edited) == 0 and not edited.unsaved and (edited.selection.spread == 0).all()
    edited.add(7)
    assert edited.landmarks.ids.tolist() == [MODEL.point_ids[7]]
    assert edited.selection.spread.max() == 1


def test_a_draft_is_the_state_and_what_is_saved_can_be_gone_back_to():
    first = editor()
    first.remove(5)
    first.add(next(row for row in range(150) if MODEL.point_ids[row] not in SAVED.ids))
    again = editor(first.landmarks)
    assert same(again.landmarks, first.landmarks) and again.unsaved
    again.revert()
    assert same(again.landmarks, SAVED) and not again.unsaved
    assert not editor(SAVED).unsaved


def ray_to(point, image: int = 0):
    eye = MODEL.centers_map[image]
    return eye, point - eye


def test_a_click_on_a_landmark_means_it_and_on_a_point_the_point():
    for landmark, position in enumerate(SAVED.positions_map):
        hit = EDITOR.landmark_at(*ray_to(position), 1e-4)
        assert hit == landmark
    for row in EDITOR.pickable[::10].tolist():
        assert EDITOR.point_at(*ray_to(MODEL.points_map[row]), 1e-4) == row
    assert EDITOR.landmark_at(*ray_to(np.array([0, 0, 50.0])), 1e-2) is None
    assert EDITOR.point_at(*ray_to(np.array([0, 0, 50.0])), 1e-2) is None


def test_a_landmark_behind_the_surface_is_not_meant():
    eye = MODEL.centers_map[0]
    front, behind = SAVED.positions_map[0], SAVED.positions_map[0] + 0.6 * (SAVED.positions_map[0] - eye)
    model = make_model(images=8, points=150)
    model.points_map[-1] = behind
    edited = LandmarkEditor(model, no_landmarks())
    edited.add(149)
    hidden = edited.landmark_at(eye, front - eye, 1e-3)
    assert hidden is None and edited.point_at(eye, front - eye, 1e-3) == np.searchsorted(
        model.point_ids, SAVED.ids[0]
    )


def test_through_an_image_only_what_it_shows_can_be_clicked():
    seen = EDITOR.shown_landmarks(3)
    np.testing.assert_array_equal(seen, np.flatnonzero(EDITOR.labels.visibility[3] == Visibility.SEEN))
    observed = MODEL.observation_point[MODEL.observation_image == 3]
    np.testing.assert_array_equal(EDITOR.shown_points(3), np.sort(observed))
    unobserved = np.setdiff1d(np.arange(150), observed)[0]
    ray = ray_to(MODEL.points_map[unobserved], 3)
    assert EDITOR.point_at(*ray, 1e-6) == unobserved
    assert EDITOR.point_at(*ray, 1e-6, image=3) is None
    unseen = np.setdiff1d(np.arange(len(SAVED)), seen)
    assert len(unseen)
    for landmark in unseen:
        assert EDITOR.landmark_at(*ray_to(SAVED.positions_map[landmark], 3), 1e-6, image=3) is None


COORDINATES = st.floats(-10, 10, allow_nan=False)
CLOUDS = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=COORDINATES)
EYE = np.array([20.0, 3.0, -15.0])


def angle(direction, points) -> np.ndarray:
    offsets = points - EYE
    across = np.linalg.norm(np.cross(offsets, direction), axis=-1)
    return np.arctan2(across, offsets @ direction)


@given(CLOUDS, st.data())
def test_a_click_on_a_point_means_it_or_one_before_it(points, data):
    aim = points[data.draw(st.integers(0, len(points) - 1))]
    hit = pick(EYE, aim - EYE, points, 0.01)
    assert hit is not None
    assert np.linalg.norm(points[hit] - EYE) <= np.linalg.norm(aim - EYE) + 1e-9


@given(CLOUDS, hnp.arrays(np.float64, 3, elements=COORDINATES))
def test_no_point_beyond_the_tolerance_is_meant(points, aim):
    hit = pick(EYE, aim - EYE, points, 0.05)
    angles = angle((aim - EYE) / np.linalg.norm(aim - EYE), points)
    if hit is None:
        assert (angles > 0.05 - 1e-9).all()
    else:
        assert angles[hit] <= 0.05 + 1e-9


@given(CLOUDS, hnp.arrays(np.float64, 3, elements=COORDINATES), st.floats(0.01, 100))
def test_the_unit_of_the_map_and_the_length_of_the_ray_do_not_matter(points, aim, scale):
    moved = pick(scale * EYE, 7 * (aim - EYE), scale * points, 0.1)
    same = pick(EYE, aim - EYE, points, 0.1)
    if moved != same:  # only where two are equally good
        assert moved is not None and same is not None
        a, b = points[moved] - EYE, points[same] - EYE
        np.testing.assert_allclose(np.linalg.norm(a), np.linalg.norm(b), rtol=1e-6)


@pytest.mark.parametrize(
    ("points", "meant"),
    [
        ([[0, 0, 5], [0.01, 0, 5]], 0),  # the nearer to the ray
        ([[0, 0, 9], [0.01, 0, 5]], 1),  # the one in front, though beside the ray
        ([[0, 0, 5.2], [0.045, 0, 5]], 0),  # hardly behind, and much nearer to the ray
        ([[0, 0, -5]], None),  # behind the eye
        ([], None),
    ],
)
def test_of_points_near_the_ray_the_one_in_front_is_meant(points, meant):
    assert pick([0, 0, 0], [0, 0, 1], np.array(points, dtype=float).reshape(-1, 3), 0.01) == meant
