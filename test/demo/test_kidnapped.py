"""A camera that is carried through the room with its eyes shut, in rendered pictures and by the embedded map."""

import numpy as np
import pytest

from reloc_ros.demo.film import pictures
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene import reading_corner
from reloc_ros.demo.trajectories import CAMERA, Trajectory, stream
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer
from reloc_ros.status import State, StatusMachine

RATE_HZ = 12.0
STAY = 3
"""Pictures before, and after."""


def stays(walk: Trajectory) -> list[int]:
    """Where the room is in view for some pictures on end, each beginning far from the one before."""
    firsts = [row for row in range(len(walk) - STAY) if all(walk.in_view[row : row + STAY])]
    chosen = [firsts[0]]
    for _ in range(3):
        poses = [walk.camera_from_map[row] for row in firsts]
        last = walk.camera_from_map[chosen[-1]]
        far = [center_error(pose, last) + rotation_error_deg(pose, last) / 90 for pose in poses]
        far = [0.0 if row in chosen else value for row, value in zip(firsts, far, strict=True)]
        chosen.append(firsts[int(np.argmax(far))])
    return chosen


@pytest.mark.slow
def test_a_kidnapped_camera_is_found_again_within_two_pictures_and_no_wrong_pose_is_believed():
    walk, localizer, machine = (
        stream(RATE_HZ),
        Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx"),
        StatusMachine(),
    )
    time_s, verdicts = 100.0, []
    for first in stays(walk):
        rows = slice(first, first + STAY)
        stay = Trajectory(
            walk.name,
            walk.times_s[rows],
            walk.camera_from_map[rows],
            walk.exposures[rows],
            walk.in_view[rows],
            walk.away[rows],
        )
        for truth, image in zip(stay.camera_from_map, pictures(reading_corner(), stay), strict=True):
            time_s += 1 / RATE_HZ
            machine.arrived(time_s)
            result = localizer.localize(image, CAMERA)
            assert isinstance(result, Localized)
            verdicts.append(machine.localized(result.camera_from_map, time_s))
            assert center_error(result.camera_from_map, truth) < 0.1
            assert rotation_error_deg(result.camera_from_map, truth) < 5
    assert [v.publish for v in verdicts] == 4 * [False, True, True]
    assert [v.jumped for v in verdicts] == [False] * STAY + 3 * [False, True, False]
    assert verdicts[STAY].state is State.DEGRADED
