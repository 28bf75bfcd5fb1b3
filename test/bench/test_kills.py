import random
import shutil

import pytest
from synthetic_model import make_model, write_workspace

from reloc_ros.bench.kills.trial import kill_at_random, whole_run
from reloc_ros.bench.kills.verbs import problems, verbs
from reloc_ros.offline.steps import select_step


@pytest.mark.parametrize("name", ["clean", "edits"])
def test_a_verb_that_is_killed_goes_on_to_what_it_would_have_made(tmp_path, name):
    place, before = tmp_path / "place", tmp_path / "before"
    workspace = write_workspace(make_model(images=13, points=600, camera="pinhole"), place)
    (place / "out").mkdir()
    select_step(workspace, 16)
    shutil.copytree(place, before)
    (verb,) = (each for each in verbs(steps=1, width=64) if each.name == name)
    done = kill_at_random(verb, place, before, 3, whole_run(verb, place), random.Random(2))
    assert done.kills == 3 and done.faults == []


def test_a_result_that_is_not_whole_is_told():
    expected = {"images": 12, "points": 100.0, "grade": "good"}
    assert problems(expected, {"images": 12, "points": 115.0, "grade": "good"}) == []
    assert problems(expected, {"images": 11, "points": 50.0}) == [
        "images is 11, not 12",
        "points is 50.0, not 100.0",
        "grade is None, not 'good'",
    ]
