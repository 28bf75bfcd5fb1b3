import numpy as np
import pytest

from reloc_ros.stream.rate_limit import RateLimit


def admitted(limit_hz, camera_hz, seconds=10.0, jitter_s=0.0):
    rng = np.random.default_rng(0)
    limit = RateLimit(limit_hz)
    times_s = np.arange(0, seconds, 1 / camera_hz)
    times_s = np.sort(times_s + rng.uniform(0, jitter_s, len(times_s)))
    return np.array([time_s for time_s in times_s if limit.admits(time_s)])


@pytest.mark.parametrize("jitter_s", [0.0, 0.01])
@pytest.mark.parametrize(("limit_hz", "camera_hz"), [(10, 30), (20, 30), (7, 30), (29, 30), (1, 30)])
def test_the_mean_rate_is_the_limit(limit_hz, camera_hz, jitter_s):
    assert len(admitted(limit_hz, camera_hz, jitter_s=jitter_s)) == pytest.approx(10 * limit_hz, abs=2)


def test_a_slower_camera_and_no_limit_pass_whole():
    assert len(admitted(50, 30)) == len(admitted(0, 30)) == 300


def test_what_was_not_used_is_caught_up_by_one_item_at_most():
    limit = RateLimit(10)
    assert limit.admits(0.0)
    after_a_pause = [t for t in np.arange(5.0, 6.0, 0.01) if limit.admits(t)]
    assert len(after_a_pause) <= 12


def test_a_new_limit_holds_from_the_next_item():
    limit = RateLimit(0.1)
    assert limit.admits(0.0)
    limit.max_rate_hz = 0
    assert limit.admits(0.1)
