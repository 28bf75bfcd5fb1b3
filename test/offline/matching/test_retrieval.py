import numpy as np
import pytest

from reloc_ros.offline.matching.retrieval import make_vocabulary, similarity_of, vlad

RNG = np.random.default_rng(0)


def root_sift(count, rng=RNG):
    values = np.sqrt(rng.dirichlet(np.full(128, 0.3), count))
    return values.astype(np.float32)


def test_descriptor_of_an_image_is_the_sum_of_the_offsets_from_the_nearest_words():
    descriptors, words = root_sift(200), root_sift(8)
    expected = np.zeros_like(words)
    for descriptor in descriptors:
        word = np.linalg.norm(words - descriptor, axis=1).argmin()
        expected[word] += descriptor - words[word]
    norms = np.linalg.norm(expected, axis=1, keepdims=True)
    expected = np.divide(expected, norms, out=np.zeros_like(expected), where=norms > 0).ravel()
    np.testing.assert_allclose(vlad(descriptors, words), expected / np.linalg.norm(expected), atol=1e-4)


def test_an_image_without_features_is_like_none():
    words = make_vocabulary(root_sift(300))
    assert not vlad(np.zeros((0, 128), np.float32), words).any()
    assert make_vocabulary(np.zeros((0, 128), np.float32)).shape == (1, 128)


def test_views_of_a_place_look_more_alike_than_other_places():
    places = [root_sift(400) for _ in range(6)]
    views = {}
    for place, features in enumerate(places):
        for view in range(3):
            seen = features[RNG.permutation(400)[:250]] + RNG.normal(0, 0.01, (250, 128)).astype(np.float32)
            views[f"{place}-{view}"] = np.concatenate([seen, root_sift(150)])
    names = sorted(views)
    likeness = similarity_of(views.__getitem__, names)
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-4)
    np.fill_diagonal(likeness, -1)
    for index, name in enumerate(names):
        nearest = np.argsort(-likeness[index])[:2]
        assert {names[other][0] for other in nearest} == {name[0]}


def test_likeness_is_the_same_each_time():
    views = {name: root_sift(300) for name in "abcd"}
    first, second = (similarity_of(views.__getitem__, list("abcd")) for _ in range(2))
    assert first == pytest.approx(second, abs=1e-6)
