"""What is said of images that do not come one by one."""

import numpy as np

from reloc_ros.ros.input.bursts import LOOKED_AT, Bursts

PERIOD_S = 1 / 30


def told(arrivals: np.ndarray, stamps: np.ndarray) -> int:
    bursts = Bursts()
    return sum(bursts.add(*times) for times in zip(arrivals, stamps, strict=True))


def test_five_at_once_each_sixth_of_a_second_are_told_once():
    stamps = PERIOD_S * np.arange(3 * LOOKED_AT + 1)
    arrivals = PERIOD_S * 5 * np.ceil((np.arange(len(stamps)) + 1) / 5) + 1e-3 * np.arange(len(stamps))
    assert told(arrivals, stamps) == 1
    assert told(arrivals[:LOOKED_AT], stamps[:LOOKED_AT]) == 0


def test_images_that_are_late_now_and_then_are_no_bursts():
    rng = np.random.default_rng(0)
    stamps = 1e9 + PERIOD_S * np.arange(1000)
    late = rng.uniform(0, 0.3 * PERIOD_S, 1000)
    late[::50] += 2 * PERIOD_S
    assert told(np.maximum.accumulate(stamps + late), stamps) == 0


def test_a_recording_that_starts_over_and_stamps_that_stand_still_are_no_bursts():
    assert told(PERIOD_S * np.arange(900), PERIOD_S * (np.arange(900) % 90)) == 0
    assert told(PERIOD_S * np.arange(900), np.ones(900)) == 0
