import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.agreement import ScaleEstimate, UpEstimate, first_up, most_certain_scale


def scale(source: str, value: float, error: float = 0.001) -> ScaleEstimate:
    return ScaleEstimate(source, value, error, 4, 5, 0.01)


def up(source: str, tilt_deg: float, error_deg: float = 0.1) -> UpEstimate:
    tilt = np.radians(tilt_deg)
    return UpEstimate(source, np.array([np.sin(tilt), 0, np.cos(tilt)]), error_deg, 4, 5, 0.2)


def test_the_most_certain_of_scales_that_agree_counts():
    best = scale("board", 0.37, 0.001)
    assert most_certain_scale([scale("tape", 0.372, 0.004), best, scale("odometry", 0.38, 0.01)]) is best


def test_scales_that_contradict_each_other_are_refused_by_name():
    with pytest.raises(RelocError, match=r"board and tape contradict.*0\.37 m.*0\.5 m"):
        most_certain_scale([scale("tape", 0.5, 0.002), scale("board", 0.37)])


def test_a_large_error_explains_a_large_gap():
    assert most_certain_scale([scale("tape", 0.41, 0.02), scale("board", 0.37)]).source == "board"


def test_a_scale_that_is_hardly_known_is_refused():
    with pytest.raises(RelocError, match="no better than 20 %"):
        most_certain_scale([scale("tape", 0.5, 0.1)])


def test_the_first_of_several_ups_counts_and_the_others_check_it():
    first = up("plane", 0)
    assert first_up([first, up("camera", 4)]) is first
    with pytest.raises(
        RelocError, match="plane and camera contradict each other: what is up differs by 14 deg"
    ):
        first_up([first, up("camera", 14)])
    with pytest.raises(RelocError, match="camera gives the vertical to no better than 7 deg"):
        first_up([first, up("camera", 0, 7)])
