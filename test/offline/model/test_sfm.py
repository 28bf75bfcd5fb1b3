import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_model import CAMERAS, make_model, write_colmap_text

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.model import triangulate as triangulate_module
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.triangulate import meet_rays, triangulate

SNOWMIKU = Path(__file__).parents[4] / "shared" / "scenes" / "snowmiku"
needs_snowmiku = pytest.mark.skipif(not SNOWMIKU.is_dir(), reason=f"{SNOWMIKU} is not on this machine")
EVERY_THIRD = np.arange(12) % 3 == 1


def assert_same(a: SfmModel, b: SfmModel, tolerance: float = 0.0):
    assert a.names == b.names and a.cameras == b.cameras
    for pose_a, pose_b in zip(a.camera_from_map, b.camera_from_map, strict=True):
        np.testing.assert_allclose(pose_a.matrix, pose_b.matrix, atol=max(tolerance, 1e-12))
    for field in ("camera_ids", "point_ids", "colors", "observation_point", "observation_image"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    for field in ("points_map", "observation_px", "errors_px"):
        np.testing.assert_allclose(getattr(a, field), getattr(b, field), atol=tolerance)


def test_model_goes_to_disk_and_back_and_gives_the_same_bytes_twice(tmp_path):
    model = make_model()
    model.save(tmp_path / "a.npz")
    model.save(tmp_path / "b.npz")
    assert_same(SfmModel.load(tmp_path / "a.npz"), model)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_observations_of_each_image_are_found_without_looking_through_all():
    model = make_model()
    for image in range(len(model.names)):
        np.testing.assert_array_equal(
            model.observations_of(image), np.flatnonzero(model.observation_image == image)
        )
    last = len(model.names) - 1
    without = model.keep_observations(model.observation_image != last)
    assert len(without.observations_of(last)) == 0 and len(without.observations_of(0)) > 0


def test_cameras_that_differ_are_named_by_their_source_or_an_image():
    model = make_model(camera="pinhole")
    lens = model.cameras[1]
    assert model.distinct_cameras() == {"image_000.jpg": lens}
    longer = {share: replace(lens, fx=share * lens.fx, fy=share * lens.fy) for share in (1.004, 1.05)}
    wide = replace(lens, height=lens.width * 9 // 16)
    cameras = {1: lens, 2: longer[1.004], 3: longer[1.05], 4: wide}
    used = np.array([1] * 5 + [2] * 2 + [3] * 3 + [4] * 2, dtype=np.int32)
    sources = {1: "monday", 2: "tuesday", 3: "phone", 4: "phone"}
    names = tuple(f"{sources[key]}/frame_{i:06d}.jpg" for i, key in enumerate(used.tolist()))
    mixed = replace(model, cameras=cameras, camera_ids=used, names=names)
    assert mixed.distinct_cameras() == {
        "monday": lens,  # tuesday's is another estimate of the same one
        names[7]: longer[1.05],
        names[10]: wide,
    }
    assert mixed.distinct_cameras()["monday"] == mixed.main_camera


def test_missing_damaged_foreign_and_newer_models_are_refused(tmp_path):
    file = tmp_path / "model.npz"
    with pytest.raises(RelocError, match="reloc map"):
        SfmModel.load(file)
    make_model().save(file)
    whole = file.read_bytes()
    for contents in (b"", b"words", whole[:1000], whole[: len(whole) // 2]):
        file.write_bytes(contents)
        with pytest.raises(RelocError, match="damaged"):
            SfmModel.load(file)
    np.savez(file, other=1)
    with pytest.raises(RelocError, match="not a model"):
        SfmModel.load(file)
    np.savez(file, kind="reloc sfm model", format=2)
    with pytest.raises(RelocError, match="format 2"):
        SfmModel.load(file)


def test_text_model_reads_back_what_was_written(tmp_path):
    model = make_model(noise_px=0.0)
    write_colmap_text(model, tmp_path)
    assert_same(read_colmap(tmp_path), model, tolerance=1e-8)


def test_text_and_binary_models_read_alike(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    write_colmap_text(make_model(noise_px=0.5), tmp_path / "text")
    (tmp_path / "binary").mkdir()
    pycolmap.Reconstruction(str(tmp_path / "text")).write_binary(str(tmp_path / "binary"))
    assert_same(read_colmap(tmp_path / "text"), read_colmap(tmp_path / "binary"), tolerance=1e-9)


@pytest.mark.parametrize("place", ["", "0", "sparse", "sparse/0"])
def test_model_is_found_from_the_folders_above(tmp_path, place):
    write_colmap_text(make_model(), tmp_path / place)
    assert len(read_colmap(tmp_path).names) == 12


def _drop_points(folder):
    (folder / "points3D.txt").write_text("# none\n")
    lines = (folder / "images.txt").read_text().splitlines()
    lines[2::2] = [""] * len(lines[2::2])
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def _two_models(folder):
    for name in ("0", "1"):
        write_colmap_text(make_model(), folder / "sparse" / name)
    for file in folder.glob("*.txt"):
        file.unlink()


def _rewrite(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shutil.rmtree, "no COLMAP model folder"),
        (lambda folder: (folder / "cameras.txt").unlink(), "no cameras.bin"),
        (lambda folder: (folder / "points3D.txt").unlink(), "no points3D.bin"),
        (lambda folder: (folder / "images.txt").write_text(""), "no images"),
        (_drop_points, "no points"),
        (_two_models, "several COLMAP models"),
        (_rewrite("cameras.txt", "OPENCV", "FOV"), "FOV"),
        (_rewrite("cameras.txt", "1 OPENCV", "9 OPENCV"), "lacks camera 1"),
        (lambda folder: (folder / "points3D.txt").write_text("1 2 3"), "cut short"),
        (lambda folder: (folder / "images.txt").write_text("1 2 3"), "cut short"),
    ],
)
def test_bad_colmap_model_is_refused_with_a_sentence(tmp_path, change, message):
    write_colmap_text(make_model(), tmp_path)
    change(tmp_path)
    with pytest.raises(RelocError, match=message) as error:
        read_colmap(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("stem", ["cameras", "images", "points3D"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_binary_file_cut_short_is_refused_with_a_sentence(tmp_path, stem, share):
    pycolmap = pytest.importorskip("pycolmap")
    write_colmap_text(make_model(), tmp_path)
    pycolmap.Reconstruction(str(tmp_path)).write_binary(str(tmp_path))
    file = tmp_path / f"{stem}.bin"
    contents = file.read_bytes()
    file.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(RelocError, match=f"{stem}.bin"):
        read_colmap(tmp_path)


@pytest.mark.parametrize("camera", list(CAMERAS))
def test_exact_observations_triangulate_to_the_exact_points(camera):
    model = make_model(camera=camera)
    shaken = replace(model, points_map=model.points_map + np.random.default_rng(1).normal(0, 1, (200, 3)))
    kept = shaken.without(EVERY_THIRD)
    truth = model.points_map[np.searchsorted(model.point_ids, kept.point_ids)]
    np.testing.assert_allclose(kept.points_map, truth, atol=1e-7)
    assert kept.errors_px.max() < 1e-5


def test_without_drops_the_images_and_their_observations():
    model = make_model(noise_px=0.5)
    kept = model.without(EVERY_THIRD)
    assert kept.names == tuple(name for i, name in enumerate(model.names) if i % 3 != 1)
    before = {
        (model.point_ids[p], model.names[i], *xy)
        for p, i, xy in zip(
            model.observation_point, model.observation_image, model.observation_px.tolist(), strict=True
        )
    }
    after = {
        (kept.point_ids[p], kept.names[i], *xy)
        for p, i, xy in zip(
            kept.observation_point, kept.observation_image, kept.observation_px.tolist(), strict=True
        )
    }
    ids, held_names = set(kept.point_ids), {name for i, name in enumerate(model.names) if i % 3 == 1}
    assert after == {row for row in before if row[1] not in held_names and row[0] in ids}


def test_nothing_of_a_held_out_image_reaches_the_points():
    model = make_model(noise_px=0.5)
    held = EVERY_THIRD[model.observation_image]
    lies = np.where(held[:, None], model.observation_px + 300, model.observation_px)
    other = replace(
        model, observation_px=lies, points_map=model.points_map + 0.5, errors_px=model.errors_px + 9
    )
    assert_same(other.without(EVERY_THIRD), model.without(EVERY_THIRD))


def test_a_wrong_match_in_a_track_hardly_moves_its_point():
    model = make_model(noise_px=0.3)
    pixels = model.observation_px.copy()
    starts = np.searchsorted(model.observation_point, np.arange(200))
    pixels[starts[model.track_lengths >= 7]] += 40
    wrong = replace(model, observation_px=pixels)
    truth = model.points_map[model.track_lengths >= 7]
    linear = meet_rays(wrong.observed_rays)[model.track_lengths >= 7]
    robust = triangulate(wrong.observed_rays, 200).points_map[model.track_lengths >= 7]
    error = np.linalg.norm(robust - truth, axis=1)
    assert np.median(error) < 0.01
    assert np.median(error) < 0.2 * np.median(np.linalg.norm(linear - truth, axis=1))


def test_points_seen_by_too_few_are_dropped():
    model = make_model()
    held = np.ones(12, dtype=bool)
    held[[0, 6, 11]] = False
    assert (model.without(held, min_observations=3).track_lengths == 3).all()
    assert len(model.without(held).points_map) > len(model.without(held, min_observations=3).points_map)


def test_holding_out_nothing_changes_nothing():
    model = make_model(noise_px=0.5)
    assert model.without(np.zeros(12, dtype=bool)) is model


def test_similarity_leaves_every_projection_where_it_was():
    model = make_model()
    similarity = Similarity(
        2.5, SE3.from_rotation_vector([0.3, -1, 2], [0, 0, 0]).rotation, np.array([1, 2, 3])
    )
    moved = model.transformed(similarity)
    np.testing.assert_allclose(moved.project_observed(), model.project_observed(), atol=1e-9)
    np.testing.assert_allclose(moved.centers_map, similarity.apply(model.centers_map), atol=1e-12)


@needs_snowmiku
def test_snowmiku_reads_as_pycolmap_reads_it():
    pycolmap = pytest.importorskip("pycolmap")
    model = read_colmap(SNOWMIKU)
    genuine = pycolmap.Reconstruction(str(SNOWMIKU / "sparse" / "0"))
    assert len(model.names) == genuine.num_reg_images() == 97
    assert len(model.points_map) == genuine.num_points3D()
    assert len(model.observation_px) == genuine.compute_num_observations()
    # The mean over points of their mean error agrees only if pixels, poses and lens all agree.
    assert model.errors_px.mean() == pytest.approx(genuine.compute_mean_reprojection_error(), rel=1e-5)
    image = next(image for image in genuine.images.values() if image.name == model.names[40])
    np.testing.assert_allclose(
        model.camera_from_map[40].matrix[:3], image.cam_from_world().matrix(), atol=1e-9
    )


@needs_snowmiku
def test_snowmiku_points_stay_close_to_colmaps_when_triangulated_without_a_fifth_of_the_images():
    model = read_colmap(SNOWMIKU)
    kept = model.without(np.arange(97) % 5 == 2)
    assert len(kept.names) == 78
    assert len(kept.points_map) > 0.9 * len(model.points_map)
    moved = kept.points_map - model.points_map[np.searchsorted(model.point_ids, kept.point_ids)]
    depth = np.median(np.linalg.norm(model.points_map[:500, None] - model.centers_map, axis=2))
    assert np.median(np.linalg.norm(moved, axis=1)) < 1e-3 * depth
    assert kept.errors_px.mean() < model.errors_px.mean() + 0.01


def test_a_pixel_without_a_ray_takes_no_part_in_its_points_place():
    model = make_model(camera="brown")
    folding = replace(model.cameras[1], coefficients=(-0.35, 0.03, 0, 0, 0, 0, 0, 0))
    model = replace(model, cameras={1: folding})
    pixels = model.project_observed()
    assert np.isfinite(pixels).all()
    pixels[np.flatnonzero(model.observation_point == 7)[0]] = (5000.0, 5000.0)
    rays = replace(model, observation_px=pixels).observed_rays
    assert np.isnan(rays.directions_map()).any()
    result = triangulate(rays, len(model.points_map))
    np.testing.assert_allclose(result.points_map, model.points_map, atol=1e-3)
    assert (result.angles_deg > 1.5).all()


def test_points_are_triangulated_alike_in_parts_and_all_at_once(monkeypatch):
    model = make_model(images=9, points=50, noise_px=1.0)
    whole = triangulate(model.observed_rays, 50)
    monkeypatch.setattr(triangulate_module, "_AT_ONCE", 7)
    parts = triangulate(model.observed_rays, 50)
    for field in ("points_map", "errors_px", "angles_deg"):
        np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field))


@pytest.mark.parametrize("shift", [0.0, 5e6])
def test_the_covariance_of_a_point_is_what_it_is_off_by_wrong_matches_or_not(shift):
    squares = []
    for seed in range(3):
        exact, rng = make_model(points=300, seed=5), np.random.default_rng(seed)
        noise = rng.normal(0, 0.7, exact.observation_px.shape)
        wrong = rng.uniform(size=len(noise)) < 0.005
        noise[wrong] += 60
        model = replace(exact, observation_px=exact.observation_px + noise).transformed(
            Similarity(1.0, np.eye(3), np.full(3, shift))
        )
        points = triangulate(model.observed_rays, 300).points_map
        gaps = points - shift - exact.points_map
        told = replace(model, points_map=points).covariances_map
        whole = np.ones(300, dtype=bool)
        whole[exact.observation_point[wrong]] = False
        squares.extend(np.einsum("pi,pij,pj->p", gaps, np.linalg.inv(told), gaps)[whole])
    assert 2.4 < np.mean(squares) < 3.8  # chi-square of three
    assert 0.9 < np.mean(np.array(squares) < 7.81) < 0.98


def test_the_covariance_of_points_turns_and_grows_with_the_map():
    model = make_model(noise_px=0.5)
    similarity = Similarity(
        2.5, SE3.from_rotation_vector([0.3, -1, 2], [0, 0, 0]).rotation, np.array([1, 2, 3])
    )
    turned = similarity.rotation @ model.covariances_map @ similarity.rotation.T
    moved = model.transformed(similarity).covariances_map
    np.testing.assert_allclose(moved, 2.5**2 * turned, atol=1e-4 * np.abs(moved).max())
