from pathlib import Path

import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.local_features.sift import Sift
from reloc_ros.localizer import Localized, Lost, LostReason
from reloc_ros.offline.bundling.gather_features import gather_features
from reloc_ros.offline.measuring.features import FeatureBaseline
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.photographs import read_photo

pytest.importorskip("pycolmap")
SNOWMIKU = Path(__file__).parents[4] / "shared" / "scenes" / "snowmiku"


def baseline(known: SfmModel, images_dir: Path) -> FeatureBaseline:
    return FeatureBaseline(Sift(), gather_features(Sift(), known, images_dir).known)


@pytest.fixture(scope="module")
def split(mapped):
    """The model of all photos, which of them are held out, and the baseline made of the others."""
    workspace, _ = mapped
    model = SfmModel.load(workspace.model_path)
    held_out = workspace.is_held_out(model.names)
    return model, held_out, baseline(model.without(held_out), workspace.images_dir)


def test_held_out_images_are_localized_where_they_were(split, photos):
    model, held_out, localizer = split
    for image in np.flatnonzero(held_out):
        found = localizer.localize(read_photo(photos.folder / model.names[image]), photos.camera)
        assert isinstance(found, Localized)
        truth = model.camera_from_map[image]
        depth = np.median(np.linalg.norm(model.points_map - truth.center, axis=1))
        assert rotation_error_deg(found.camera_from_map, truth) < 0.2
        assert center_error(found.camera_from_map, truth) < 0.005 * depth
        assert found.inliers.sum() > 30 and found.inliers.shape == found.keypoints.landmarks.shape
        assert found.reprojection_rms_px < 3
        assert np.linalg.eigvalsh(found.covariance).min() > 0
        assert found.stage_ms["total"] >= found.stage_ms["detect"]


def test_grey_image_is_localized_as_the_coloured_one(split, photos):
    model, held_out, localizer = split
    image = read_photo(photos.folder / model.names[np.flatnonzero(held_out)[0]])
    grey = np.asarray(image[:, :, 1])
    assert isinstance(localizer.localize(grey, photos.camera), Localized)


def test_dark_image_is_localized_as_well_as_the_bright_one(split, photos):
    model, held_out, localizer = split
    image = read_photo(photos.folder / model.names[np.flatnonzero(held_out)[0]])
    bright = localizer.localize(image, photos.camera)
    dark = localizer.localize(np.rint(0.15 * image).astype(np.uint8), photos.camera)
    assert isinstance(dark, Localized) and dark.inliers.sum() > 0.5 * bright.inliers.sum()
    assert rotation_error_deg(dark.camera_from_map, bright.camera_from_map) < 0.2


def test_images_of_nothing_and_of_noise_are_lost(split, photos):
    localizer = split[2]
    lost = localizer.localize(np.zeros((480, 640, 3), np.uint8), photos.camera)
    assert isinstance(lost, Lost) and lost.reason is LostReason.TOO_FEW_KEYPOINTS
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    assert isinstance(localizer.localize(noise, photos.camera), Lost)


def test_images_that_do_not_show_the_map_are_refused(split, tmp_path):
    import cv2

    model = split[0]
    for name in model.names:
        cv2.imwrite(str(tmp_path / name), np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(RelocError, match="finds only 0"):
        baseline(model, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not SNOWMIKU.is_dir(), reason=f"{SNOWMIKU} is not on this machine")
def test_snowmiku_is_localized_as_well_as_by_any_classical_pipeline():
    model = read_colmap(SNOWMIKU)
    held_out = np.arange(97) % 5 == 2
    localizer = baseline(model.without(held_out), SNOWMIKU / "images")
    turns, shares = [], []
    for image in np.flatnonzero(held_out)[::3]:
        found = localizer.localize(read_photo(SNOWMIKU / "images" / model.names[image]), model.camera(image))
        assert isinstance(found, Localized)
        truth = model.camera_from_map[image]
        depth = np.median(np.linalg.norm(model.points_map - truth.center, axis=1))
        turns.append(rotation_error_deg(found.camera_from_map, truth))
        shares.append(center_error(found.camera_from_map, truth) / depth)
    assert np.median(turns) < 0.1
    assert np.median(shares) < 0.002
