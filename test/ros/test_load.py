import cv2
import pytest
from table_bundle import view

from reloc_ros.errors import RelocError
from reloc_ros.ros.load import load_images, measure


@pytest.mark.slow
def test_the_load_measurement_counts_what_the_node_did(table_bundle, tmp_path):
    for index in range(1, 8):
        cv2.imwrite(str(tmp_path / f"{index}.png"), view(index))
    load = measure(table_bundle, tmp_path, seconds=2.0, rate_hz=20.0, width=640, height=480, backend="onnx")
    assert 20 <= load.received <= 45
    assert load.lost == 0
    assert load.poses > 0.8 * load.received
    assert 0 < load.localize_p50_ms < load.stamp_to_pose_p50_ms <= load.stamp_to_pose_p99_ms
    assert load.cpu_percent > 0
    assert 50 < load.rss_mb < 2000


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(RelocError, match="holds no image"):
        load_images(tmp_path, 640, 480)
    with pytest.raises(RelocError, match="not a folder"):
        load_images(tmp_path / "none", 640, 480)
