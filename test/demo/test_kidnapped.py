"""A camera that is carried through the room with its eyes shut, in rendered pictures and by the embedded map."""

import numpy as np
import pytest

from reloc_ros.demo.film.trajectories import CAMERA, Trajectory, stream
from reloc_ros.demo.film.writer import pictures
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost
from reloc_ros.stream.status import State, StatusMachine

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


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx")


@pytest.fixture(scope="module")
def shots() -> list[tuple[SE3, np.ndarray]]:
    """The true pose and the picture of each stop, stay after stay."""
    walk, found = stream(RATE_HZ), []
    for first in stays(walk):
        stay = walk.part(slice(first, first + STAY))
        found += zip(stay.camera_from_map, pictures(reading_corner(), stay), strict=True)
    return found


def is_right(result: Localized | Lost, truth: SE3) -> bool:
    return (
        isinstance(result, Localized)
        and center_error(result.camera_from_map, truth) < 0.1
        and rotation_error_deg(result.camera_from_map, truth) < 5
    )


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["poselib", "usac"])
def test_a_kidnapped_camera_is_found_again_within_two_pictures_and_no_wrong_pose_is_believed(shots, solver):
    """Each picture with the last pose for a prior, as the node does it."""
    localizer, machine = (
        Localizer.from_bundle(EMBEDDED_BUNDLE, "onnx", LocalizerConfig(solver=solver)),
        StatusMachine(),
    )
    time_s, verdicts = 100.0, []
    for truth, image in shots:
        time_s += 1 / RATE_HZ
        machine.arrived(time_s)
        last = machine.last_good
        result = localizer.localize(image, CAMERA, last and last.camera_from_map)
        assert is_right(result, truth)
        verdicts.append(machine.localized(result.camera_from_map, time_s))
    assert [v.publish for v in verdicts] == 4 * [False, True, True]
    assert [v.jumped for v in verdicts] == 4 * [False, True, False]
    assert verdicts[STAY].state is State.DEGRADED


@pytest.mark.slow
def test_no_prior_however_wrong_makes_a_wrong_pose(shots, localizer):
    """Not in pictures of the room, and not in what looks like it but is none: mirrored, no camera can have taken it."""
    rng = np.random.default_rng(0)
    for truth, image in shots[::STAY]:
        elsewhere = [other for other, _ in shots[::STAY] if other is not truth]
        near = [
            SE3.from_rotation_vector(rng.normal(0, 0.2, 3), rng.normal(0, 0.3, 3)) @ truth for _ in range(3)
        ]
        for prior in [*elsewhere, *near]:
            assert is_right(localizer.localize(image, CAMERA, prior), truth)
        mirrored = np.ascontiguousarray(image[:, ::-1])
        for prior in [None, truth, *elsewhere, *near]:
            assert isinstance(localizer.localize(mirrored, CAMERA, prior), Lost)
