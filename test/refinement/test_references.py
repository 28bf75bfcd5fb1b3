import dataclasses

import numpy as np
import pytest
from reference_corner import UTM, references, shifted
from scenes import TINY_CAMERA, TINY_SHAPE, random_landmarks

from reloc_ros.bundle import REFERENCES, Bundle, write_bundle
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.refinement.references import References


@pytest.fixture
def path(tmp_path):
    references().save(tmp_path / "references.npz")
    return tmp_path / "references.npz"


def test_references_go_to_disk_and_back(path):
    before, after = references(), References.load(path)
    assert after.files == before.files and after.cameras == before.cameras
    for mine, theirs in zip(after.camera_from_map, before.camera_from_map, strict=True):
        np.testing.assert_array_equal(mine.matrix, theirs.matrix)
    np.testing.assert_allclose(after.points_map, before.points_map, atol=1e-6)
    np.testing.assert_allclose(after.normals_map, before.normals_map, atol=1e-3)
    np.testing.assert_allclose(after.seen_px, before.seen_px, atol=0.01)
    np.testing.assert_array_equal(after.seen_view, before.seen_view)
    np.testing.assert_array_equal(after.seen_point, before.seen_point)


def test_likes_of_views_go_to_disk_and_back_and_there_need_be_none(path, tmp_path):
    assert References.load(path).like_camera_from_map == ()
    likes = references().camera_from_map[:2]
    with_likes(np.array([3, 3], np.int32), likes).save(tmp_path / "alike.npz")
    after = References.load(tmp_path / "alike.npz")
    assert after.like_view.tolist() == [3, 3]
    for mine, theirs in zip(after.like_camera_from_map, likes, strict=True):
        np.testing.assert_array_equal(mine.matrix, theirs.matrix)


@pytest.mark.parametrize("views", [[5], [-1], [0, 1]])
def test_likes_of_views_that_are_not_there_are_refused(tmp_path, views):
    with_likes(np.array(views, np.int32), references().camera_from_map[:1]).save(tmp_path / "alike.npz")
    assert "export the bundle again" in refusal(tmp_path / "alike.npz")


def with_likes(views: np.ndarray, poses: tuple[SE3, ...]) -> References:
    return dataclasses.replace(references(), like_view=views, like_camera_from_map=poses)


def test_the_same_references_give_the_same_bytes(path, tmp_path):
    references().save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_points_far_from_the_maps_origin_keep_their_places(tmp_path):
    shifted(references(), UTM).save(tmp_path / "far.npz")
    far = References.load(tmp_path / "far.npz")
    np.testing.assert_allclose(far.points_map - UTM, references().points_map, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(
        [pose.translation for pose in far.camera_from_map],
        [pose.translation for pose in shifted(references(), UTM).camera_from_map],
    )


def test_references_of_the_format_before_are_still_read(path):
    """Without an origin: points were held about the map's."""
    before = References.load(path)
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files if key != "origin"}
    del arrays["covariance_roots"]
    arrays |= {"format": 1, "points_map": references().points_map.astype(np.float32)}
    with path.open("wb") as stream:
        np.savez(stream, **arrays)
    after = References.load(path)
    np.testing.assert_allclose(after.points_map, before.points_map, atol=1e-6)
    np.testing.assert_array_equal(after.covariances_map, np.zeros((1500, 3, 3)))


def refusal(path) -> str:
    with pytest.raises(RelocError) as caught:
        References.load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and str(path) in sentence
    return sentence


def test_a_missing_file_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "references.npz")


@pytest.mark.parametrize("keep", [0, 20, 5000, -1])
def test_a_truncated_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    assert "export the bundle again" in refusal(path)


def change(path, **changes) -> None:
    with np.load(path) as data:
        arrays = dict(data)
    with path.open("wb") as stream:
        np.savez(stream, **(arrays | changes))


def test_a_newer_format_is_refused(path):
    change(path, format=99)
    assert "format 99" in refusal(path)


WRONG = {
    "another kind": {"kind": "landmarks"},
    "fewer pictures": {"files": np.zeros(100, np.uint8)},
    "no picture": {"file_bytes": np.zeros(0, np.int64)},
    "foreign cameras": {"cameras": "[{}]"},
    "cameras that are no JSON": {"cameras": "["},
    "a view without a camera": {"camera_of_view": np.array([0, 0, 9, 0, 0])},
    "fewer cameras": {"camera_of_view": np.array([0, 0])},
    "fewer poses": {"translations": np.zeros((2, 3))},
    "no origin": {"origin": np.zeros(2)},
    "an origin that is not finite": {"origin": np.full(3, np.inf)},
    "flat points": {"points_map": np.zeros((1500, 2))},
    "fewer covariances": {"covariance_roots": np.zeros((3, 6))},
    "fewer normals": {"normals_map": np.zeros((3, 3))},
    "points that are not finite": {"points_map": np.full((1500, 3), np.nan)},
    "points that are nowhere": {"origin": np.full(3, 1e300)},
    "poses that are not finite": {"rotations": np.full((5, 3, 3), np.nan)},
    "poses that are nowhere": {"translations": np.full((5, 3), 1e300)},
    "poses of two numbers": {"translations": np.zeros((5, 2))},
    "a place too few": {"seen_steps": np.zeros((1, 2))},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_together_is_refused(path, changes):
    change(path, **changes)
    assert "export the bundle again" in refusal(path)


@pytest.mark.parametrize("spoiled", ["seen_point", "seen_view"])
def test_sightings_of_nothing_or_out_of_order_are_refused(path, spoiled):
    wrong = getattr(references(), spoiled)[::-1].copy() + 1000 * (spoiled == "seen_point")
    change(path, **{spoiled: wrong})
    assert "export the bundle again" in refusal(path)


def test_pictures_that_cannot_be_decoded_or_have_another_size_are_refused():
    whole = references()
    for file in (b"no picture", whole.files[0][:1000]):
        broken = dataclasses.replace(whole, files=(file, *whole.files[1:]))
        with pytest.raises(RelocError, match="reference view 0 is damaged"):
            broken.picture(0)
    other = dataclasses.replace(whole, cameras=(whole.cameras[0].resized(320, 240), *whole.cameras[1:]))
    with pytest.raises(RelocError, match="reference view 0 is damaged"):
        other.picture(0)


def write(path, write_models) -> Bundle:
    shape = dataclasses.replace(TINY_SHAPE, landmarks=8)
    return write_bundle(
        path,
        scale="metric",
        camera=TINY_CAMERA,
        network=shape,
        landmarks=random_landmarks(8),
        made_from={},
        write_models=write_models,
    )


def test_a_bundle_brings_its_references(tmp_path):
    bundle = write(tmp_path / "bundle", lambda folder: references().save(folder / REFERENCES))
    assert bundle.references.files == references().files


def test_a_bundle_without_references_is_whole(tmp_path):
    assert write(tmp_path / "bundle", lambda folder: None).references is None


def test_a_bundle_with_altered_references_is_refused(tmp_path):
    path = write(tmp_path / "bundle", lambda folder: references().save(folder / REFERENCES)).path
    with (path / REFERENCES).open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"altered")
    with pytest.raises(RelocError, match=r"references\.npz is truncated or altered"):
        Bundle.load(path)
