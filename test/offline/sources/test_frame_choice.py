import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from moving_picture import TEXTURE, WIDTH, pan

from reloc_ros.offline.sources.frame_choice import MIN_SPACING, Judged, MotionMeter, choose_frames, sharpness


def moved(pictures):
    meter = MotionMeter()
    return np.array([meter.add(picture) for picture in pictures])


def judged(moved, sharp=None):
    sharp = np.ones(len(moved)) if sharp is None else np.asarray(sharp, dtype=float)
    return Judged(np.arange(len(moved)), sharp, np.asarray(moved, dtype=float))


def test_sharpness_falls_with_blur():
    assert sharpness(TEXTURE) > 3 * sharpness(cv2.GaussianBlur(TEXTURE, (0, 0), 2.0))


def test_motion_is_measured_in_picture_widths():
    offsets = np.cumsum([0, *([3] * 40), *([8] * 40)])
    np.testing.assert_allclose(moved(pan(offsets)), offsets / WIDTH, atol=0.05)


def test_a_camera_that_stands_still_has_not_moved_for_all_its_noise():
    rng = np.random.default_rng(0)
    noisy = [np.clip(p + rng.normal(0, 6, p.shape), 0, 255).astype(np.uint8) for p in pan([50] * 40)]
    assert moved(noisy)[-1] == 0


def test_a_trembling_hand_does_not_add_up():
    trembling = pan(100 + np.tile([0, 1, 2, 1], 20))
    assert moved(trembling)[-1] < 0.02


def test_a_cut_is_one_leap():
    after = np.roll(TEXTURE[::-1, ::-1], 31, axis=0)
    way = moved([TEXTURE] * 5 + [after] * 5)
    assert way[4] == 0 and way[5] > 0.1
    np.testing.assert_array_equal(way[5:], way[5])


def test_coming_out_of_the_dark_counts_as_moved_and_the_dark_itself_does_not():
    dark = np.zeros_like(TEXTURE)
    way = moved([dark] * 5 + [TEXTURE] * 3)
    assert way[4] == 0 and way[5] > 0.1


def test_frames_are_evenly_spread_over_the_motion_not_over_the_time():
    way = np.concatenate([np.linspace(0, 1, 300), np.full(200, 1.0), np.linspace(1, 9, 200)])
    chosen = choose_frames(judged(way), 45)
    assert 40 <= len(chosen) <= 46
    assert np.count_nonzero((chosen > 300) & (chosen < 499)) == 0
    np.testing.assert_allclose(np.diff(way[chosen]), 0.2, atol=0.14)


def test_no_frame_is_taken_of_a_camera_that_never_moves():
    assert len(choose_frames(judged(np.zeros(100)), 20)) == 0


def test_a_short_way_gives_fewer_frames_than_asked_for():
    chosen = choose_frames(judged(np.linspace(0, 0.3, 500)), 250)
    assert len(chosen) <= 0.3 / MIN_SPACING + 1


def test_the_sharpest_frame_of_its_neighbourhood_is_taken():
    way = np.linspace(0, 3, 300)
    # A textured stretch after a plain one: all of its frames have more contrast, blurred or not.
    sharp = np.where(np.arange(300) % 7 == 0, 1.0, 0.3) * np.where(way > 1.5, 10, 1)
    chosen = choose_frames(judged(way, sharp), 20)
    assert len(chosen) == 20 and not (chosen % 7).any()


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200), st.integers(3, 60), st.randoms())
def test_chosen_frames_are_in_order_each_once_and_about_as_many_as_asked_for(steps, count, random):
    way = np.cumsum(steps) - steps[0]
    chosen = choose_frames(judged(way, [random.random() for _ in steps]), count)
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) <= count
    assert (len(chosen) == 0) == (way[-1] == 0)
