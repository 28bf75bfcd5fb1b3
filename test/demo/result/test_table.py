from demo_runs import make_sightings
from rich.console import Console

from reloc_ros.demo.result.record import summarize
from reloc_ros.demo.result.table import live_view, plain_line, summary_view


def text_of(renderable) -> str:
    console = Console(width=130, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_live_table_shows_state_error_and_landmarks_of_the_newest_pictures():
    text = text_of(live_view(make_sightings(error_m=0.034)[:40], 24.0))
    assert "TRACKING" in text
    assert "3.4" in text
    assert "16/20" in text
    assert "the room" in text


def test_the_live_table_says_why_the_camera_is_lost():
    sightings = [s for s in make_sightings() if s.estimate is None]
    text = text_of(live_view(sightings, 24.0))
    assert "LOST" in text
    assert "no keypoints" in text
    assert "the garden" in text


def test_the_live_table_keeps_its_height_from_the_first_picture_on():
    heights = {len(text_of(live_view(make_sightings()[:count], 24.0)).splitlines()) for count in (1, 5, 60)}
    assert len(heights) == 1


def test_a_plain_line_tells_a_pose_from_none():
    sightings = make_sightings(silent_at=(3,))
    assert "off by  1.0 cm 0.20 deg" in plain_line(sightings[0])
    assert "no pose: no keypoints" in plain_line(
        next(s for s in sightings if s.estimate is None and s.report)
    )
    assert "not looked at" in plain_line(sightings[3])


def test_the_summary_names_every_criterion():
    text = text_of(summary_view(summarize(make_sightings())))
    for word in ("localized in view", "wrong poses", "looking away", "picture to pose", "transforms"):
        assert word in text
