import cv2
import numpy as np
import pytest

from reloc_ros.cameras import Camera
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.geometry import SE3, center_error, rotation_error_deg

torch = pytest.importorskip("torch")
from reloc_ros.bench.first_pipeline import HEIGHT, KEYPOINTS, STRIDE, WIDTH, FirstNetwork, FirstPipeline  # noqa: E402


def test_network_has_a_map_at_stride_32_for_each_of_20_keypoints():
    with torch.inference_mode():
        maps = FirstNetwork().eval()(torch.zeros(1, 3, 64, 96))
    assert maps.shape == (20, 3, 2, 3)


def test_its_heads_share_no_weights():
    heads = FirstNetwork().heads
    assert len(heads) == KEYPOINTS
    assert len({parameter.data_ptr() for parameter in heads.parameters()}) == 4 * KEYPOINTS


def test_keypoints_are_at_each_heatmap_s_peak_moved_by_the_offset():
    maps = np.zeros((KEYPOINTS, 3, HEIGHT // STRIDE, WIDTH // STRIDE), dtype=np.float32)
    for keypoint in range(KEYPOINTS):
        maps[keypoint, :, 2 + keypoint, 3 + 2 * keypoint] = (1.0, 0.25, 0.5)
    found = FirstPipeline._decode(maps)
    expected = [(STRIDE * (3 + 2 * k + 0.25), STRIDE * (2 + k + 0.5)) for k in range(KEYPOINTS)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("camera", [CAMERA, Camera("pinhole", 320, 240, 300.0, 300.0, 160.0, 120.0)])
def test_pose_of_perfect_keypoints_is_found_through_any_lens(camera):
    points = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 5], (KEYPOINTS, 3))
    truth = SE3.from_rotation_vector([0.1, -0.2, 0.3], [0.2, 0.1, 0.5])
    pose = FirstPipeline(points)._solve(camera.project(truth.apply(points)), camera)
    assert rotation_error_deg(pose, truth) < 0.01 and center_error(pose, truth) < 1e-3


def test_pipeline_tells_the_time_of_each_stage_on_images_of_any_size():
    points = np.random.default_rng(0).uniform(-1, 1, (7, 3))  # fewer than it wants
    image = cv2.resize(np.random.default_rng(1).integers(0, 256, (6, 8, 3)).astype(np.uint8), (320, 240))
    camera = CAMERA.resized(320, 240)
    result = FirstPipeline(points).localize(image, camera)
    assert result.keypoints_px.shape == (KEYPOINTS, 2)
    assert list(result.stage_ms) == ["prepare", "network", "pnp", "total"]
    assert all(time_ms > 0 for time_ms in result.stage_ms.values())
    stages = [result.stage_ms[stage] for stage in ("prepare", "network", "pnp")]
    assert sum(stages) == pytest.approx(result.stage_ms["total"])
