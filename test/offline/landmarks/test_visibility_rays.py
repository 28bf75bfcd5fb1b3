import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.visibility_rays import VoxelGrid


def occupied_boxes(grid: VoxelGrid) -> np.ndarray:
    """(V, 3) lowest corner of each occupied voxel, in the map."""
    return grid._low + np.stack(np.unravel_index(grid._occupied, grid._shape), axis=1) * grid.size


def cloud(seed: int, points: int = 60) -> np.ndarray:
    """Pairs of points, so that every one of them occupies a voxel, in a box of uneven sides."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.uniform(0, [3.0, 2.0, 1.0], (points, 3)), 2, axis=0)


def meets(low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """Whether a segment meets a box, one axis after the other (Kay and Kajiya's slabs)."""
    first, last = 0.0, 1.0
    for axis in range(3):
        along = end[axis] - start[axis]
        if along == 0:
            if not low[axis] <= start[axis] <= high[axis]:
                return False
            continue
        near, far = sorted([(low[axis] - start[axis]) / along, (high[axis] - start[axis]) / along])
        first, last = max(first, near), min(last, far)
    return first <= last


def plainly_blocked(grid: VoxelGrid, start: np.ndarray, end: np.ndarray, grown: float) -> bool:
    """Try every occupied voxel, a little larger or smaller than it is, but that of the start."""
    for low in occupied_boxes(grid):
        holds_start = ((start >= low) & (start < low + grid.size)).all()
        if not holds_start and meets(low - grown, low + grid.size + grown, start, end):
            return True
    return False


@example(seed=539, size=0.2, scale=100.0, spread=1.5)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([0.02, 0.05, 0.2]),
    scale=st.sampled_from([0.01, 1.0, 100.0]),
    spread=st.sampled_from([0.1, 1.5, 12.0]),
)
def test_a_segment_is_blocked_where_a_plain_search_of_all_voxels_says_so(seed, size, scale, spread):
    """Cameras within the cloud, around it and outside of the grid; exact but for corners that are just touched."""
    rng = np.random.default_rng(seed)
    grid = VoxelGrid(scale * cloud(seed), size)
    start = scale * (np.array([1.5, 1.0, 0.5]) + rng.uniform(-spread, spread, 3))
    in_voxels = (start - grid._low) / grid.size
    assume(np.abs(in_voxels - np.rint(in_voxels)).min() > 1e-9)  # on a face, either voxel may be the start's
    ends = scale * rng.uniform(-1, 4, (12, 3))
    ends[0] = start + scale * np.array([2.0, 0, 0])  # along an axis
    ends[1] = start
    blocked = grid.is_blocked(start, ends)
    tiny = 1e-9 * scale
    for end, found in zip(ends, blocked, strict=True):
        assert found or not plainly_blocked(grid, start, end, -tiny)
        assert not found or plainly_blocked(grid, start, end, tiny)


def test_a_corner_that_samples_along_the_ray_step_over_blocks_it():
    """A ray through the corner of a voxel is in it for less than any fixed step."""
    grid = VoxelGrid(cloud(3), 0.05)
    low = occupied_boxes(grid)[0]
    corner = low + np.array([0, 0, grid.size / 2])
    inward = np.array([1e-3, 1e-3, 0]) * grid.size
    across = np.array([1.0, -1.0, 0]) * grid.size
    start, end = corner + inward - 0.9 * across, corner + inward + 0.9 * across
    steps = np.linspace(0, 1, 8)[:, None]
    samples = start + steps * (end - start)
    assert not ((samples >= low) & (samples < low + grid.size)).all(axis=1).any()
    assert grid.is_blocked(start, end[None]).tolist() == [True]


def test_the_voxel_of_the_camera_hides_nothing():
    grid = VoxelGrid(np.array([[0, 0, 0], [9.0, 0, 0]] * 2), 0.05)
    start = occupied_boxes(grid)[0] + grid.size / 2
    away = start + np.array([[0, 3 * grid.size, 0], [0, 0, -3 * grid.size]])
    assert not grid.is_blocked(start, away).any()


def test_a_single_point_is_noise_and_blocks_nothing():
    points = np.vstack([cloud(5), [[1.5, 1.0, 5.0]]])
    grid = VoxelGrid(points, 0.05)
    assert (occupied_boxes(grid)[:, 2] < 2).all()


def test_a_far_outlier_changes_neither_the_voxels_nor_how_long_it_takes():
    """The scene is the middle of the cloud; the walk ends where the grid does."""
    plain, with_outlier = VoxelGrid(cloud(6), 0.05), VoxelGrid(np.vstack([cloud(6), [[1e9, 0, 0]] * 2]), 0.05)
    assert with_outlier.size == pytest.approx(plain.size, rel=0.05)
    assert not with_outlier.is_blocked(np.array([1.5, 1.0, 1.8]), np.array([[1e9, 1e9, 1e9]])).any()


def test_a_scene_without_points_close_together_blocks_nothing():
    grid = VoxelGrid(np.random.default_rng(0).uniform(0, 1, (50, 3)), 0.001)
    assert len(occupied_boxes(grid)) == 0
    assert not grid.is_blocked(np.zeros(3), np.ones((2, 3))).any()


@pytest.mark.parametrize("size", [0.0, -0.01, 0.0009, 0.21, 1.0, float("nan"), float("inf")])
def test_voxel_sizes_out_of_range_are_refused(size):
    with pytest.raises(RelocError, match=r"voxel size is a share of the scene's extent from 0\.001 to 0\.2"):
        VoxelGrid(cloud(0), size)


def test_a_cloud_in_one_place_is_refused():
    with pytest.raises(RelocError, match="all in one place"):
        VoxelGrid(np.ones((10, 3)), 0.01)
