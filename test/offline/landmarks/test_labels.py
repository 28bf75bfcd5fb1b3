import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks
from reloc_ros.offline.landmarks.visibility import label_images

MODEL = make_model(images=8, points=150)
LABELS = label_images(MODEL, cloud_landmarks(MODEL))


def test_some_of_the_images_or_landmarks_keep_their_labels():
    part = LABELS.of_images(np.array([3, 1])).of_landmarks(np.array([7]))
    assert part.names == (LABELS.names[3], LABELS.names[1])
    np.testing.assert_array_equal(part.keypoints_px, LABELS.keypoints_px[[3, 1]][:, [7]])
    np.testing.assert_array_equal(part.visibility, LABELS.visibility[[3, 1]][:, [7]])


def test_labels_go_to_disk_and_back(tmp_path):
    LABELS.save(tmp_path / "labels.npz")
    loaded = Labels.load(tmp_path / "labels.npz")
    assert loaded.names == LABELS.names
    np.testing.assert_array_equal(loaded.keypoints_px, LABELS.keypoints_px)
    np.testing.assert_array_equal(loaded.visibility, LABELS.visibility)


def test_missing_damaged_and_newer_labels_are_refused(tmp_path):
    file = tmp_path / "labels.npz"
    with pytest.raises(RelocError, match="does not exist; run reloc label first"):
        Labels.load(file)
    LABELS.save(file)
    whole = file.read_bytes()
    for content in (b"", b"words", whole[:100], whole[:-10]):
        file.write_bytes(content)
        with pytest.raises(RelocError, match=r"labels\.npz is not a readable label file"):
            Labels.load(file)
    np.savez(file, format=2)
    with pytest.raises(RelocError, match="label format 2; this version reads 1"):
        Labels.load(file)
