"""Ways to a model, on matches that are made up, without any pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.mapping import attempts, ways
from reloc_ros.offline.mapping.attempts import find_model, read_found
from reloc_ros.offline.mapping.consistency import Agreement
from reloc_ros.offline.mapping.mappers import Made
from reloc_ros.offline.matching.features import verified_pairs
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.progress import silent
from reloc_ros.offline.sources.gather import Group

pycolmap = pytest.importorskip("pycolmap")
TRUE = Camera("pinhole", 640, 480, 520.0, 520.0, 319.5, 239.5)
NAMES = tuple(f"{i:02}.jpg" for i in range(12))


def straight_ahead():
    """Cameras that go along a corridor without turning, and points on its walls."""
    rng = np.random.default_rng(3)
    at = np.linspace(0, 4.4, len(NAMES))
    centers = np.column_stack([0.05 * np.sin(3 * at), 0.03 * np.cos(4 * at), at])
    points = rng.uniform((-1, -1, 0.5), (1, 1, 9), (900, 3))
    points[np.arange(900), rng.integers(0, 2, 900)] = rng.choice([-1.0, 1.0], 900)
    return [SE3(np.eye(3), -center) for center in centers], points


def sideways():
    """Cameras that go along a shelf, and points on it."""
    rng = np.random.default_rng(5)
    at = np.linspace(0, 2.2, len(NAMES))
    centers = np.column_stack([at, 0.1 * np.sin(3 * at), 0.1 * np.cos(4 * at)])
    points = rng.uniform((-1.5, -1.2, 2), (3.7, 1.2, 5), (900, 3))
    return [SE3(np.eye(3), -center) for center in centers], points


def write_database(poses, points, file, noise_px=0.3, linked=NAMES):
    """A COLMAP database of one camera that nothing is known of, as matching leaves it.

    Args:
        linked: names of the images that match each other.
    """
    rng = np.random.default_rng(4)
    seen = []
    with pycolmap.Database.open(str(file)) as database:
        camera = pycolmap.Camera.create_from_model_name(0, "OPENCV", 768.0, TRUE.width, TRUE.height)
        camera_id = database.write_camera(camera)
        for name, pose in zip(NAMES, poses, strict=True):
            px = TRUE.project(pose.apply(points))
            visible = np.flatnonzero(TRUE.contains(px) & (pose.apply(points)[:, 2] > 0.3))
            image_id = database.write_image(pycolmap.Image(name=name, camera_id=camera_id))
            noisy = px[visible] + 0.5 + rng.normal(0, noise_px, (len(visible), 2))
            database.write_keypoints(image_id, noisy.astype(np.float32))
            if name in linked:
                seen.append((image_id, visible))
        for (a, of_a), (b, of_b) in itertools.combinations(seen, 2):
            _, at_a, at_b = np.intersect1d(of_a, of_b, return_indices=True)
            matches = np.column_stack([at_a, at_b]).astype(np.uint32)
            geometry = pycolmap.TwoViewGeometry()
            geometry.config = pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED
            geometry.inlier_matches = matches
            database.write_matches(a, b, matches)
            database.write_two_view_geometry(a, b, geometry)


def test_a_walk_straight_ahead_is_mapped_with_intrinsics_that_are_assumed_and_told(tmp_path):
    poses, points = straight_ahead()
    write_database(poses, points, tmp_path / "database.db")
    group = Group("photos", NAMES, False)
    database, sparse = tmp_path / "database.db", tmp_path / "sparse"
    find_model(tmp_path, [group], sparse, ["sift"], lambda _: database, "incremental", silent)
    found, model = (
        read_found(tmp_path / "sparse", "incremental", frozenset()),
        read_colmap(tmp_path / "sparse"),
    )
    assert found.lens_is_assumed and model.names == NAMES
    assert "its intrinsics held: 12 images that agree, which is taken" in found.told[-1]
    (camera,) = model.cameras.values()
    assert camera.fx == camera.fy == 0.85 * 640


def test_a_folded_walk_that_near_matches_leave_in_pieces_is_mapped_by_those_farther_along(
    tmp_path, monkeypatch
):
    """What each way is given, and which is taken: all matches fold, near ones fall to pieces, wider ones hold."""
    poses, points = straight_ahead()
    write_database(poses, points, tmp_path / "database.db")
    given = []

    def run_mapper(images_dir, groups, database, scratch, *_):
        scratch.mkdir(parents=True)
        reaches = [NAMES.index(b) - NAMES.index(a) for a, b in (p.names for p in verified_pairs(database))]
        given.append(max(reaches))
        return Made((NAMES,), (scratch,))

    def judge(way, made, matches, _):
        kept = {11: 6, ways.NEAR_OVERLAP: 5}.get(given[-1], len(NAMES))
        left = np.arange(kept, len(NAMES)) if given[-1] == 11 else np.arange(0)
        pairs = np.array(
            [pair for pair in itertools.combinations(range(12), 2) if np.diff(pair) <= given[-1]]
        )
        every = np.ones(len(pairs))
        parts = (np.arange(kept), left) if len(left) else (np.arange(kept),)
        agreement = Agreement(pairs, 99 * every, every, every > 1, parts)
        return ways.Candidate(way, matches, made, agreement, (kept + len(left)) / len(NAMES), False)

    monkeypatch.setattr(ways, "WIDE_OVERLAP", 8)
    monkeypatch.setattr(attempts, "run_mapper", run_mapper)
    monkeypatch.setattr(attempts, "judge", judge)
    group, sparse = Group("photos", NAMES, False), tmp_path / "sparse"
    find_model(tmp_path, [group], sparse, ["sift"], lambda _: tmp_path / "database.db", "incremental", silent)
    told = read_found(sparse, "incremental", frozenset()).told
    assert given == [11, 4, 8, 8]
    assert "the order of the walk, wider: 12 images that agree, which is taken" in told[1]
    assert "all that agrees with them: 12 images that agree, which is taken" in told[2] and len(told) == 3


def test_what_may_mend_a_model_is_tried_though_it_is_a_later_way_that_folds(tmp_path, monkeypatch):
    """Few images find a place until intrinsics are assumed; then all matches fold, and near ones hold."""
    write_database(*straight_ahead(), tmp_path / "database.db")
    given = []

    def run_mapper(images_dir, groups, database, scratch, mapper, progress, assumes_lens=False):
        scratch.mkdir(parents=True)
        reaches = [NAMES.index(b) - NAMES.index(a) for a, b in (p.names for p in verified_pairs(database))]
        given.append((max(reaches), assumes_lens))
        return Made((NAMES,), (scratch,))

    def judge(way, made, matches, _):
        reach, assumed = given[-1]
        kept, placed = (12, 12) if reach < 11 else (6, 12) if assumed else (3, 3)
        pairs = np.array([pair for pair in itertools.combinations(range(12), 2) if np.diff(pair) <= reach])
        every = np.ones(len(pairs))
        parts = (np.arange(kept), np.arange(kept, placed)) if placed > kept else (np.arange(kept),)
        agreement = Agreement(pairs, 99 * every, every, every > 1, parts)
        return ways.Candidate(way, matches, made, agreement, placed / len(NAMES), False)

    monkeypatch.setattr(attempts, "run_mapper", run_mapper)
    monkeypatch.setattr(attempts, "judge", judge)
    group, sparse = Group("photos", NAMES, False), tmp_path / "sparse"
    find_model(tmp_path, [group], sparse, ["sift"], lambda _: tmp_path / "database.db", "incremental", silent)
    found = read_found(sparse, "incremental", frozenset())
    assert given[:3] == [(11, False), (11, True), (4, True)]
    assert "by the order of the walk alone: 12 images that agree, which is taken" in found.told[1]
    assert found.lens_is_assumed


@pytest.fixture
def search(tmp_path):
    """Maps what two kinds of features link, and gives what was found."""

    def search(by_sift, by_xfeat):
        poses, points = sideways()
        for features, linked in (("sift", by_sift), ("xfeat", by_xfeat)):
            if linked is not None:
                write_database(poses, points, tmp_path / features, linked=linked)

        def match(features):
            if not (tmp_path / features).exists():
                raise RelocError("they are not installed")
            return tmp_path / features

        kinds, sparse = ["sift", "xfeat"], tmp_path / "sparse"
        find_model(tmp_path, [Group("photos", NAMES, False)], sparse, kinds, match, "incremental", silent)
        return read_found(sparse, "incremental", frozenset())

    return search


def test_where_sift_leaves_images_out_learned_features_are_tried_and_taken_if_they_place_more(search):
    found = search(by_sift=NAMES[:8], by_xfeat=NAMES)
    assert found.features == "xfeat" and found.parts == (NAMES,)
    assert found.told[-1] == (
        "only 67 % of 12 images were placed; mapped again by the matches of XFeat's learned features: 12 images that "
        "agree, which is taken"
    )


def test_learned_features_that_place_fewer_are_told_and_not_taken(search):
    found = search(by_sift=NAMES[:8], by_xfeat=NAMES[:6])
    assert found.features == "sift" and found.parts == (NAMES[:8],)
    assert found.told[-1].endswith("XFeat's learned features: 6 images that agree, no better")


def test_learned_features_that_cannot_be_had_are_told(search):
    found = search(by_sift=NAMES[:8], by_xfeat=None)
    assert found.features == "sift" and found.parts == (NAMES[:8],)
    assert found.told[-1].endswith("XFeat's learned features failed: they are not installed")


def test_learned_features_are_not_looked_for_where_sift_places_all(search):
    found = search(by_sift=NAMES, by_xfeat=None)
    assert found.features == "sift" and found.told == ()
