import numpy as np
import pytest

from reloc_ros.geometry import SE3
from reloc_ros.io.tum import format_tum_pose, parse_tum_pose


def test_a_pose_goes_there_and_back():
    pose = SE3.from_rotation_vector([0.3, -1, 2], [1.5, -2, 1e3])
    np.testing.assert_allclose(parse_tum_pose(format_tum_pose(pose)).matrix, pose.matrix, atol=1e-8)


@pytest.mark.parametrize(
    "text", ["", "1 2 3", "1 2 3 0 0 0 1 4", "1 2 3 0 0 0 0", "nan 2 3 0 0 0 1", "1 2 3 0 0 0 x"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):
        parse_tum_pose(text)
