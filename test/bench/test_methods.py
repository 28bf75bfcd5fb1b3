import time
from dataclasses import dataclass

import numpy as np
import pytest

from reloc_ros.bench.methods import PROCESSOR, Method, Timing, clocked, shrunk, time_methods
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.localizer import NO_KEYPOINTS, Lost, LostReason

LARGE = CAMERA.resized(1280, 962)


@dataclass(frozen=True)
class Found:
    stage_ms: dict[str, float]


def lost(stage_ms: dict[str, float]) -> Lost:
    return Lost(LostReason.NO_CONSENSUS, "", NO_KEYPOINTS, np.zeros(0, dtype=bool), stage_ms)


def shots(count: int, camera=CAMERA):
    return [(np.full((camera.height, camera.width, 3), i, dtype=np.uint8), camera) for i in range(count)]


def test_every_method_is_timed_on_every_image_in_every_round_in_turn():
    calls = []

    def method(name: str) -> Method:
        def localize(image, camera):
            calls.append((name, int(image[0, 0, 0])))
            return Found({"total": float(len(calls))})

        return Method(name, localize)

    timings = time_methods([method("a"), method("b"), method("c")], shots(2), rounds=2, pause_s=0)
    assert calls[:3] == [("a", 0), ("b", 0), ("c", 0)]  # the warm-up
    timed = calls[3:]
    assert [image for _, image in timed] == [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3
    assert all({name for name, _ in timed[i : i + 3]} == {"a", "b", "c"} for i in range(0, 12, 3))
    assert len({timed[i][0] for i in range(0, 9, 3)}) == 3  # each comes first once
    assert [len(timing.stages_ms["total"]) for timing in timings] == [4, 4, 4]
    assert min(timings[0].stages_ms["total"]) > 3  # without the warm-up


def test_images_are_timed_640_wide_except_for_methods_at_full_size():
    sizes = {"small": set(), "full": set()}

    def method(name: str, full_size: bool) -> Method:
        def localize(image, camera):
            assert (camera.width, camera.height) == image.shape[1::-1]
            sizes[name].add(image.shape[1::-1])
            return Found({"total": 1.0})

        return Method(name, localize, full_size)

    timings = time_methods([method("small", False), method("full", True)], shots(1, LARGE), 1, pause_s=0)
    assert sizes == {"small": {(640, 481)}, "full": {(1280, 962)}}
    assert [(timing.width, timing.height) for timing in timings] == [(640, 481), (1280, 962)]


def test_shrunk_image_shows_the_same_rays():
    image, camera = shrunk(*shots(1, LARGE)[0])
    assert image.shape == (481, 640, 3)
    np.testing.assert_allclose(camera.unproject([[99.5, 49.5]]), LARGE.unproject([[199.5, 99.5]]), atol=1e-12)
    same, unchanged = shrunk(*shots(1)[0])
    assert same.shape == (480, 640, 3) and unchanged == CAMERA


def test_clocked_method_tells_its_processor_time_on_images_of_the_timed_width():
    sizes = []

    def localize(image, camera):
        sizes.append(image.shape[:2])
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        return lost({"total": 1.0})

    found = clocked(Method("m", localize), pause_s=0).localize(*shots(1, LARGE)[0])
    assert sizes == [(481, 640)] and found.stage_ms["total"] == 1 and found.stage_ms[PROCESSOR] >= 20


def test_stages_are_those_of_the_localized_images():
    answers = iter([Found({"network": 9.0, "total": 9.0})])  # the warm-up
    turns = [
        lost({"network": 1.0, "total": 1.0}),
        Found({"network": 2.0, "refine": 3.0, "total": 5.0}),
        Found({"network": 4.0, "total": 4.0}),
    ]
    method = Method("m", lambda image, camera: next(answers, None) or turns.pop(0))
    (timing,) = time_methods([method], shots(3), 1, pause_s=0)
    assert timing.stages_ms == {"network": (2.0, 4.0), "refine": (3.0,), "total": (5.0, 4.0)}
    assert timing.percentile("network", 50) == 3 and timing.percentile("detect", 50) is None


def test_a_method_that_is_always_lost_has_its_times_too():
    method = Method("m", lambda image, camera: lost({"prepare": 1.0, "total": 2.0}))
    (timing,) = time_methods([method], shots(2), 1, pause_s=0)
    assert timing.stages_ms == {"prepare": (1.0, 1.0), "total": (2.0, 2.0)}


def test_percentiles_are_written_by_stage():
    read = Timing("m", 640, 480, {"total": tuple(float(i) for i in range(101))}).to_json()
    assert read["median_ms"] == {"total": pytest.approx(50)} and read["p95_ms"] == {
        "total": pytest.approx(95)
    }
    assert read["samples"] == 101 and read["size"] == [640, 480]
