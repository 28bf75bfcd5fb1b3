import numpy as np
import pytest

from reloc_ros.offline.places.partition import ONE_PLACE, add_to_places, part_landmarks, seen_table

ROOMS, EACH, VIEWS = 5, 150, 40


@pytest.fixture
def rooms():
    """Five rooms in a row, each door seen by some images: (K, I) who sees what, and the room of each landmark."""
    rng = np.random.default_rng(0)
    images, landmarks = [], []
    for room in range(ROOMS):
        for view in range(VIEWS):
            rows = EACH * room + np.flatnonzero(rng.random(EACH) < 0.4)
            images.append(np.full(len(rows), room * VIEWS + view))
            landmarks.append(rows)
    for door in range(ROOMS - 1):
        for view in range(5):
            rows = EACH * door + np.flatnonzero(rng.random(2 * EACH) < 0.1)
            images.append(np.full(len(rows), (ROOMS + door) * VIEWS + view))
            landmarks.append(rows)
    shuffled = rng.permutation(ROOMS * EACH)
    table = seen_table(
        np.concatenate(images), shuffled[np.concatenate(landmarks)], (ROOMS * EACH, 2 * ROOMS * VIEWS)
    )
    return table, np.argsort(shuffled) // EACH


def test_rooms_that_few_images_join_are_parted_where_they_meet(rooms):
    table, room_of = rooms
    places = part_landmarks(table)
    assert len(places) >= 3
    for place in places:
        counts = np.bincount(room_of[place], minlength=ROOMS)
        whole = counts > EACH / 2
        assert counts[~whole].sum() <= 3 and (counts[whole] >= EACH - 3).all()


def test_each_landmark_is_of_one_place_and_the_parts_do_not_depend_on_chance(rooms):
    table, _ = rooms
    places = part_landmarks(table)
    assert np.array_equal(np.sort(np.concatenate(places)), np.arange(ROOMS * EACH))
    assert all(map(np.array_equal, places, part_landmarks(table)))


def test_what_one_network_finds_is_one_place(rooms):
    table, _ = rooms
    (place,) = part_landmarks(table[:ONE_PLACE])
    assert np.array_equal(place, np.arange(ONE_PLACE))


def test_rooms_that_no_image_joins_are_parted():
    images, landmarks = np.divmod(np.arange(6 * 130), 130)
    places = part_landmarks(seen_table(images, images * 130 + landmarks, (780, 6)))
    assert all(len(np.unique(place // 130)) * 130 == len(place) for place in places)


def test_landmarks_that_one_image_sees_are_parted_in_any_way():
    places = part_landmarks(seen_table(np.zeros(900, int), np.arange(900), (900, 1)))
    assert len(places) > 2 and sum(map(len, places)) == 900


def test_added_landmarks_join_the_place_that_is_looked_at_with_them_or_make_one_of_their_own(rooms):
    table, room_of = rooms
    order = np.argsort(room_of, kind="stable")  # the last room, and two landmarks of the first, are new
    rows = np.concatenate([order[2 : 4 * EACH], order[:2], order[4 * EACH :]])
    sizes = (EACH - 2, EACH, EACH, EACH)
    places = add_to_places(table[rows], sizes)
    assert [len(place) for place in places] == [EACH, EACH, EACH, EACH, EACH]
    assert set(places[0][-2:]) == {4 * EACH - 2, 4 * EACH - 1}
    assert np.array_equal(places[1], np.arange(EACH - 2, 2 * EACH - 2))


def test_few_added_landmarks_make_no_place(rooms):
    table, room_of = rooms
    rows = np.argsort(room_of, kind="stable")[: EACH + 20]
    (place,) = add_to_places(table[rows], (EACH,))
    assert len(place) == EACH + 20
