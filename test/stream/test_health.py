import math

import pytest

from reloc_ros.stream.health import Health


def test_a_steady_stream_is_summed_up():
    health = Health(window_s=10.0)
    for index in range(300):
        health.add(index / 30, latency_s=0.02 + 0.001 * (index % 3), age_s=0.05, found=index % 4 != 0)
    summary = health.summary(10.0)
    assert summary.images == 300
    assert summary.rate_hz == pytest.approx(30)
    assert summary.latency_p50_s == pytest.approx(0.021)
    assert summary.latency_p99_s == pytest.approx(0.022)
    assert summary.age_p50_s == pytest.approx(0.05)
    assert summary.lost_share == pytest.approx(0.25)


def test_only_the_window_counts():
    health = Health(window_s=2.0)
    for index in range(100):
        health.add(index / 10, latency_s=1.0, age_s=1.0, found=False)
    health.add(10.0, latency_s=0.5, age_s=1.0, found=True)
    assert health.summary(10.0).images == 21
    assert health.summary(11.95).images == 1
    assert health.summary(11.95).lost_share == 0


def test_no_images_are_a_rate_of_zero_and_nothing_else():
    summary = Health().summary(5.0)
    assert (summary.images, summary.rate_hz) == (0, 0.0)
    assert math.isnan(summary.latency_p50_s)
    assert math.isnan(summary.lost_share)


def test_just_started_the_rate_is_that_of_the_time_since():
    health = Health(window_s=10.0)
    health.restart(100.0)
    for index in range(10):
        health.add(100 + index / 10, latency_s=0.0, age_s=0.0, found=True)
    assert health.summary(101.0).rate_hz == pytest.approx(10)
