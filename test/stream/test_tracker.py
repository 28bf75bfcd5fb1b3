import numpy as np
import pytest
from reference_corner import CAMERA, MIDDLE, POSES, look_at, walls
from test_localizer_refined import make_localizer

from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg
from reloc_ros.localizer import Localized, Lost, LostReason
from reloc_ros.stream.status import StampedPose
from reloc_ros.stream.tracker import SecondLooks, Tracker, TrackerConfig

RATE_HZ = 30.0
DISTANCE = 2.5


def path(images: int) -> list[SE3]:
    """A camera that walks by the corner at 0.6 m/s and turns to keep it in view."""
    ways = np.linspace(POSES[3].center, POSES[3].center + 0.02 * images * np.array([-0.6, 0.8, 0.0]), images)
    return [look_at(way, MIDDLE) for way in ways]


class Stream:
    """A tracker that is fed renderings, and counts on every pose that it finds."""

    def __init__(self, seed: int = 0, **config) -> None:
        self.localizer = make_localizer(True)
        self.tracker = Tracker(self.localizer, TrackerConfig(**config))
        self.renderer = Renderer(walls(seed), CAMERA)
        self.searches = 0
        self.last: StampedPose | None = None
        self.stamp_s = 100.0
        oracle = self.localizer.backend
        infer = oracle.infer

        def count(image: np.ndarray, attempt: int = 0) -> np.ndarray:
            self.searches += 1
            return infer(image, attempt)

        oracle.infer = count

    def see(self, pose: SE3, image: np.ndarray | None = None, after_s: float = 1 / RATE_HZ, **given):
        self.localizer.backend.camera_from_map = pose
        self.stamp_s += after_s
        image = self.renderer.render(pose).image if image is None else image
        camera, last = given.get("camera", CAMERA), given.get("last", self.last)
        result = self.tracker.localize(image, camera, self.stamp_s, last, given.get("expected"))
        self.tracker.confirm()
        if isinstance(result, Localized):
            self.last = StampedPose(result.camera_from_map, self.stamp_s)
        return result


def assert_right(result: Localized | Lost, pose: SE3) -> None:
    assert isinstance(result, Localized), result
    assert rotation_error_deg(result.camera_from_map, pose) < 0.03
    assert center_error(result.camera_from_map, pose) < 0.0006 * DISTANCE


def test_a_moving_camera_is_followed_and_the_network_looks_at_every_sixth_image():
    stream = Stream(confirm_every=6)
    tracked = []
    for pose in path(13):
        result = stream.see(pose)
        assert_right(result, pose)
        tracked.append(result.tracked)
    assert stream.searches == 3
    assert tracked == [False] + 12 * [True]


def test_where_the_network_does_not_speak_for_a_followed_pose_the_next_is_searched():
    stream = Stream(confirm_every=3)
    *before, third, next_one, last = path(6)
    for pose in before:
        assert_right(stream.see(pose), pose)
    spoil = stream.localizer.backend.spoil
    stream.localizer.backend.spoil = lambda found: found.__setitem__((slice(None), 2), 0.0)
    assert stream.see(third).tracked  # which it sees when the pose is out
    stream.localizer.backend.spoil = spoil
    assert not stream.see(next_one).tracked
    assert stream.see(last).tracked


def test_a_followed_pose_tells_its_own_uncertainty_and_support_and_has_no_keypoints():
    stream = Stream()
    first, second = (stream.see(pose) for pose in path(2))
    assert second.tracked and second.refined and len(second.keypoints) == 0
    assert second.support.share > 0.8
    ratio = np.sqrt(np.diag(second.covariance) / np.diag(first.covariance))
    assert (ratio > 0.5).all() and (ratio < 2).all()
    assert list(second.stage_ms) == ["refine", "total"]


def test_a_camera_that_was_carried_away_is_found_at_once():
    stream = Stream()
    for pose in path(4):
        stream.see(pose)
    result = stream.see(POSES[7])
    assert_right(result, POSES[7])
    assert not result.tracked


def test_what_shows_another_place_is_never_followed():
    stream, elsewhere = Stream(), Renderer(walls(10), CAMERA)
    *before, pose = path(4)
    for one in before:
        assert isinstance(stream.see(one), Localized)
    stream.localizer.backend.spoil = lambda found: found.__setitem__((slice(None), 2), 0.0)
    assert isinstance(stream.see(pose, elsewhere.render(pose).image), Lost)
    assert isinstance(stream.see(pose), Lost)  # nor from a pose before that


def test_a_covered_view_is_looked_at_by_the_network():
    stream = Stream()
    *before, pose = path(4)
    for one in before:
        stream.see(one)
    image = stream.renderer.render(pose).image.copy()
    image[:, :384] = np.random.default_rng(0).integers(0, 256, (480, 384, 1))
    assert not stream.see(pose, image).tracked


HALF = CAMERA.resized(320, 240)


@pytest.mark.parametrize(
    ("config", "given"),
    [
        ({"tracking": "off"}, {}),
        ({}, {"last": None}),
        ({}, {"last": StampedPose(POSES[3], 99.0)}),
        ({}, {"after_s": 0.5}),
        ({}, {"after_s": 0.0}),
        ({}, {"after_s": -1.0}),
        ({}, {"camera": HALF, "image": Renderer(walls(), HALF).render(path(3)[2]).image}),
    ],
    ids=[
        "off",
        "lost",
        "not its own",
        "long ago",
        "at once",
        "started over",
        "another camera",
    ],
)
def test_where_nothing_can_be_expected_the_network_looks(config, given):
    stream = Stream(**config)
    first, second, third = path(3)
    stream.see(first)
    stream.see(second)
    stream.localizer.backend.camera = given.get("camera", CAMERA)
    result = stream.see(third, **given)
    assert isinstance(result, Localized) and not result.tracked


@pytest.mark.parametrize("spoil", [lambda i: i[:200], lambda i: i.astype(np.float32)], ids=["cut", "float"])
def test_an_image_that_is_none_is_lost_as_by_the_search(spoil):
    stream = Stream()
    for pose in path(3):
        result = stream.see(pose)
    assert result.tracked
    assert stream.see(pose, spoil(stream.renderer.render(pose).image)).reason is LostReason.BAD_IMAGE


def test_a_jerk_is_followed_where_odometry_tells_of_it():
    first, second = path(2)
    jerk = SE3.from_rotation_vector([0.0, 0.1, 0.0], [0.0, 0.0, 0.0]) @ second
    blind, told = Stream(), Stream()
    for stream in (blind, told):
        stream.see(first)
        stream.see(second)
    assert not blind.see(jerk).tracked
    result = told.see(jerk, expected=jerk)
    assert result.tracked
    assert_right(result, jerk)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_search_expects_the_camera_where_it_was_or_where_it_was_going(steps, monkeypatch):
    stream = Stream(tracking="off")
    *seen, pose = path(steps + 1)
    for one in seen:
        stream.see(one)
    priors = []
    localize = stream.localizer.localize
    monkeypatch.setattr(
        stream.localizer,
        "localize",
        lambda *given, **more: priors.append(given[2]) or localize(*given, **more),
    )
    stream.see(pose)
    ahead = center_error(priors[0], pose)
    moved = center_error(seen[-1], pose)
    assert ahead == pytest.approx(moved, rel=0.05) if steps == 1 else ahead < 0.2 * moved


def test_without_reference_views_every_image_is_searched():
    stream = Stream()
    stream.localizer = make_localizer(with_references=False)
    stream.tracker = Tracker(stream.localizer)
    for pose in path(3):
        result = stream.see(pose)
        assert isinstance(result, Localized) and not result.tracked


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"confirm_every": 0}, "confirm_every must be at least 1, got 0"),
        ({"tracking": "on"}, "unknown tracking 'on'; use auto or off"),
    ],
)
def test_what_makes_no_sense_is_refused(config, sentence):
    with pytest.raises(RelocError, match=sentence):
        TrackerConfig(**config)


def test_a_pose_that_a_second_look_found_is_followed_once_it_counts():
    stream = Stream()
    first, *others = path(4)
    image = stream.renderer.render(first).image
    found = stream.see(first)
    stream.localizer.backend.spoil = lambda each: each.__setitem__((slice(None), 2), 0.0)

    class Found:
        """Stands in for a localizer by features that takes its time."""

        def look_again(self, image, camera):
            return found

    tracker = stream.tracker = Tracker(stream.localizer)
    stream.last = None
    assert isinstance(stream.see(first, image), Lost)
    looks = SecondLooks(Found(), tracker)
    assert looks.localize(image, CAMERA, stream.stamp_s, None) is found
    assert isinstance(stream.see(first, image, after_s=0.0), Lost)  # the stream does not count on it
    stream.last = StampedPose(found.camera_from_map, stream.stamp_s)
    for pose in others:
        result = stream.see(pose)
        assert_right(result, pose)
        assert result.tracked


def test_what_a_second_look_takes_back_meanwhile_costs_no_image():
    stream = Stream()
    first, second = path(2)
    found = stream.see(first)
    stream.tracker.adopt(found, CAMERA, stream.stamp_s)

    class Last(StampedPose):
        """The other thread comes in between just when its stamp is looked at."""

        @property
        def stamp_s(self) -> float:
            nothing = Lost(LostReason.NO_KEYPOINTS, "", found.keypoints, found.inliers, {})
            stream.tracker.adopt(nothing, CAMERA, 0.0)
            return self.__dict__["stamp_s"]

    last = object.__new__(Last)
    last.__dict__.update(stream.last.__dict__)
    assert_right(stream.see(second, last=last), second)
