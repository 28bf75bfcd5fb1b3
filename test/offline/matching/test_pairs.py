from itertools import combinations

import numpy as np

from reloc_ros.offline.matching.pairs import (
    ACROSS,
    EXHAUSTIVE_MOST,
    OVERLAP,
    SIMILAR_PHOTOS,
    choose_pairs,
    exhaustive_pairs,
    returns,
    sequential,
)
from reloc_ros.offline.sources.gather import Group


def group(label, count, in_sequence):
    return Group(label, tuple(f"{label}/{i:04d}" for i in range(count)), in_sequence)


def circle(*counts):
    """Likeness of places on a circle that each group goes round once."""
    angles = np.concatenate([np.linspace(0, 2 * np.pi, count) for count in counts])
    return np.cos(angles[:, None] - angles[None]).astype(np.float32)


def never():
    raise AssertionError("likeness is not needed here")


def test_few_photographs_are_matched_each_with_each_without_looking_at_them():
    photos = group("photos", 12, False)
    assert choose_pairs([photos], never) == list(combinations(photos.names, 2))


def test_frames_are_matched_with_all_near_and_some_far_ones():
    pairs = set(sequential(100))
    assert {(0, step) for step in range(1, OVERLAP + 1)} <= pairs
    assert (0, 64) in pairs and (0, 30) not in pairs
    assert all(0 <= a < b < 100 for a, b in pairs)


def test_a_video_that_ends_where_it_began_is_matched_across_its_ends():
    video = group("video", 90, True)
    likeness = circle(90)
    pairs = set(choose_pairs([video], lambda: likeness))
    assert (video.names[0], video.names[89]) in pairs
    assert (video.names[0], video.names[89]) not in set(choose_pairs([video], never, loops=False))


def test_other_places_that_a_frame_is_compared_with_are_no_neighbours_of_it_or_of_each_other():
    likeness = np.zeros((60, 60), np.float32)
    likeness[0, 30:50] = likeness[30:50, 0] = np.linspace(0.5, 0.9, 20)
    others = [b for a, b in returns(likeness) if a == 0 and 30 <= b < 50]
    assert {49, 46, 43, 40, 37} <= set(others)
    assert all(b - a > OVERLAP for a, b in returns(likeness))


def test_many_photographs_are_matched_with_those_that_look_alike():
    photos = group("photos", EXHAUSTIVE_MOST + 50, False)
    pairs = choose_pairs([photos], lambda: circle(len(photos.names)))
    assert len(pairs) <= SIMILAR_PHOTOS * len(photos.names)
    assert (photos.names[0], photos.names[1]) in pairs
    assert (photos.names[0], photos.names[len(photos.names) // 2]) not in pairs


def test_each_image_of_one_source_meets_images_of_the_other():
    day, night = group("day", 80, True), group("night", 60, True)
    pairs = choose_pairs([day, night], lambda: circle(80, 60))
    across = [(a, b) for a, b in pairs if a.startswith("day") and b.startswith("night")]
    assert {a for a, _ in across} == set(day.names) and {b for _, b in across} == set(night.names)
    assert len(across) <= ACROSS * (80 + 60)


def test_small_sources_are_matched_across_exhaustively():
    one, other = group("one", 10, False), group("other", 20, False)
    pairs = choose_pairs([one, other], never)
    assert {(a, b) for a in one.names for b in other.names} <= set(pairs)


def test_pairs_are_unique_and_each_of_two_different_images():
    groups = [group("a", 70, True), group("b", 40, False), group("c", 30, True)]
    likeness = circle(70, 40, 30)
    for pairs in (choose_pairs(groups, lambda: likeness), exhaustive_pairs(groups)):
        assert len({frozenset(pair) for pair in pairs}) == len(pairs)
        assert all(a != b for a, b in pairs)


def test_many_photographs_of_a_walk_are_matched_with_the_next_ones_whatever_they_look_like():
    photos = group("photos", EXHAUSTIVE_MOST + 1, False)
    unlike = np.random.default_rng(0).normal(size=(61, 61)).astype(np.float32)
    pairs = set(choose_pairs([photos], lambda: unlike))
    assert pairs >= {(photos.names[i], photos.names[i + step]) for i in range(57) for step in range(1, 5)}
