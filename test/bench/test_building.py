from __future__ import annotations

import json
import re
from functools import partial

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from reloc_ros.bench.building import make as making
from reloc_ros.bench.building.__main__ import main
from reloc_ros.bench.building.known_poses import depth_grid, neighbours
from reloc_ros.bench.building.make import TRUTH, make, plan
from reloc_ros.bench.building.one_room import app as one_room
from reloc_ros.bench.building.rooms import CORRIDOR, WIDTH_M, Building
from reloc_ros.bench.building.score import Found, by_viewpoint, read_found, tally
from reloc_ros.bench.building.walks import pictures_of_places, queries, walk
from reloc_ros.demo.film.trajectories import CAMERA, looking_at
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.model.sfm import SfmModel


class Twins(Building):
    """The two rooms that are alike alone, which are painted in a moment."""

    rooms = ("north0", "north1")

    def seen_from(self, place, session):
        return [face for room in self.rooms for face in self._room(room, session)]


@pytest.fixture(scope="module")
def building(tmp_path_factory):
    folder = tmp_path_factory.mktemp("building") / "two"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "walk", lambda at, place, count, rng: walk(at, place, 26, rng)[:count])
        make(folder, Twins(2), images=12, sessions=1, asked=1, asked_twin=1)
    return folder


def test_the_twin_rooms_look_the_same_and_others_do_not():
    twins = Twins(2)
    pose = walk(twins, "north0", 1, np.random.default_rng(0))[0]
    shifted = SE3(pose.rotation, pose.translation - pose.rotation @ (WIDTH_M, 0, 0))
    renderer = Renderer(twins.seen_from("north0", 0), CAMERA)
    one, other = (renderer.render(each).image.astype(int) for each in (pose, shifted))
    assert np.abs(one - other).mean() < 0.5
    away = renderer.render(walk(twins, "north0", 1, np.random.default_rng(1))[0]).image.astype(int)
    assert np.abs(one - away).mean() > 20


def test_furniture_moves_and_prints_go_from_session_to_session_in_both_twins_alike():
    twins = Twins(2)
    first, second = ({face.name: face for face in twins.seen_from("north0", session)} for session in (0, 1))
    gone, moved = first.keys() - second.keys(), 0
    for name, face in second.items():
        moved += not np.allclose(face.corner_map, first[name].corner_map)
        if name.startswith("north0"):
            twin = second[name.replace("north0", "north1")]
            assert np.allclose(twin.corner_map - face.corner_map, (WIDTH_M, 0, 0))
    assert gone and all("_print_" in name for name in gone)
    assert 0 < moved < len(second) / 2


def test_every_picture_is_taken_in_its_place():
    six = Building()
    assert len(six.rooms) == 12 and six.twins == ("north0", "north5")
    counts = pictures_of_places(six, 401)
    assert sum(counts.values()) == 401 and min(counts.values()) >= 26 and counts[CORRIDOR] > 60
    rng = np.random.default_rng(0)
    for place, count in counts.items():
        for pose in (*walk(six, place, count, rng), *queries(six, place, 20, rng)):
            assert six.place_of(pose.center) == place
    assert six.place_of(np.array([-1.0, 0, 1])) is None


def test_the_plan_parts_images_and_queries_evenly_between_sessions():
    planned = plan(Building(), images=200, sessions=3, asked=7, asked_twin=10, seed=0)
    assert len({each.name for each in planned}) == len(planned)
    mapped = [each.session for each in planned if each.kind == "images"]
    assert len(mapped) == 200 and np.ptp(np.bincount(mapped)) <= 1
    asked = [each.place for each in planned if each.kind == "queries"]
    assert asked.count("south2") == 7 and asked.count("north5") == 10


def test_pictures_are_neighbours_that_see_the_same_surface_from_about_the_same_side():
    at = [looking_at((x, 0, 1.0), (x, 3.0, 1.0)) for x in (0.0, 0.4, 9.0, 0.2)]
    behind_a_wall = np.full((480, 640), 1.0, np.float32)
    depths = [np.full((480, 640), 3.0, np.float32)] * 3 + [behind_a_wall]
    grids = np.array([depth_grid(each) for each in depths])
    assert neighbours(CAMERA, at, grids, np.zeros(4, int)) == [(0, 1)]


def test_the_points_lie_where_the_pictures_truly_show_them(building):
    model = SfmModel.load(building / "ws" / "model.npz")
    truth = read_json(building / TRUTH)
    assert model.names == tuple(sorted(truth["images"])) and truth["held_out"]
    renderer = Renderer(Twins(2).seen_from(CORRIDOR, 0), CAMERA)
    off_m = []
    for image, pose in enumerate(model.camera_from_map):
        rows = model.observations_of(image)
        pixels = np.rint(model.observation_px[rows]).astype(int)
        depths = renderer.render(pose).depths[pixels[:, 1], pixels[:, 0]]
        off_m.append(pose.apply(model.points_map[model.observation_point[rows]])[:, 2] - depths)
        written = truth["images"][model.names[image]]["camera_from_map"]["translation"]
        assert np.allclose(written, pose.translation, atol=1e-6)
    off_m = np.concatenate(off_m)
    assert len(off_m) > 1500 and np.median(np.abs(off_m)) < 0.01
    assert read_json(building / "ws" / "workspace.json")["scale"] == "metric"


@pytest.fixture
def scored(building, tmp_path):
    """Of the queries: that of one twin is placed in the other, one is right, one is lost; poses.json."""
    truth = read_json(building / TRUTH)
    entries = {}
    for name, entry in truth["queries"].items():
        pose = dict(entry["camera_from_map"])
        found = {"reason": None, "camera_from_map": pose, "latency_ms": 20.0}
        if entry["place"] == "north0":
            true = SE3.from_quaternion_wxyz(pose["rotation_wxyz"], pose["translation"])
            pose["translation"] = (true.translation - true.rotation @ (WIDTH_M, 0, 0)).tolist()
        if entry["place"] == CORRIDOR:
            found = {"reason": "weak_evidence", "camera_from_map": None, "latency_ms": 50.0}
        entries[name] = found
    (tmp_path / "poses.json").write_text(json.dumps({"format": 1, "images": entries}))
    return tmp_path / "poses.json"


def test_a_picture_that_is_placed_in_the_twin_of_its_room_is_named(building, scored):
    tallies = tally(read_json(building / TRUTH), read_found(scored))
    confused = next(name for name in read_json(building / TRUTH)["queries"] if "north0" in name)
    assert tallies["all"].in_twin == tallies["all"].far == (confused,)
    assert tallies["all"].recall == pytest.approx(1 / 3) and tallies["all"].lost == {"weak_evidence": 1}
    assert tallies["twins"].images == 2 and tallies["north1"].recall == 1 and tallies["all"].p50_ms == 20


def test_covariances_are_judged_by_how_far_the_viewpoint_is_from_the_mapped_ones(building):
    truth = read_json(building / TRUTH)
    mapped = next(name for name in truth["images"] if name not in truth["held_out"])
    found = []
    for name, sigma_m in (*[(mapped, 1e-3)] * 2, *((name, 1e-6) for name in truth["queries"])):
        pose = truth["images" if name == mapped else "queries"][name]["camera_from_map"]
        true = SE3.from_quaternion_wxyz(pose["rotation_wxyz"], pose["translation"])
        off = SE3(true.rotation, true.translation + np.array([0.001, 0, 0]))
        found.append(Found(name, None, off, 20.0, sigma_m**2 * np.eye(6)))
    lost = Found(mapped, "weak_evidence", None, 20.0)
    near, *others = by_viewpoint(truth, [*found, lost])
    assert near.nearest_m == pytest.approx(0, abs=1e-6) and near.within_95 == 1
    assert sum(part.poses for part in (near, *others)) == len(found)
    assert all(part.nearest_m > 0.01 for part in others) and others[-1].within_95 == 0


def test_pictures_of_elsewhere_and_other_files_are_refused(building, scored, tmp_path):
    found = read_found(scored)
    with pytest.raises(RelocError, match="no picture of this building"):
        tally(read_json(building / TRUTH) | {"queries": {}}, found)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(RelocError, match=r"neither poses\.json"):
        read_found(tmp_path / "other.json")


def test_a_room_is_mapped_alone_in_the_frame_of_the_building(building):
    run = partial(CliRunner().invoke, one_room)
    told = run(["map", str(building), "north1"])
    assert told.exit_code == 0 and "next: reloc select" in told.output
    whole, alone = (SfmModel.load(building / name / "model.npz") for name in ("ws", "north1"))
    assert (
        alone.names == tuple(name for name in whole.names if "north1" in name) and len(alone.points_map) > 100
    )
    for name, pose in zip(alone.names, alone.camera_from_map, strict=True):
        assert np.allclose(pose.center, whole.camera_from_map[whole.names.index(name)].center, atol=1e-6)
    assert "is there already" in str(run(["map", str(building), "north1"]).exception)
    assert "has no room 'attic'" in str(run(["map", str(building), "attic"]).exception)


def test_the_time_with_the_map_of_a_building_is_told_beside_that_with_the_map_of_the_room(building):
    bundles = [str(EMBEDDED_BUNDLE)] * 2
    told = CliRunner().invoke(one_room, ["compare", str(building), "north1", *bundles])
    assert told.exit_code == 0, told.output
    assert "0% of 1 right" in told.output and re.search(r"ratio \d", told.output)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("")
    app = typer.Typer()
    app.command()(main)
    told = CliRunner().invoke(app, [str(tmp_path), "--images", "80"])
    assert told.exit_code == 1 and "is not empty; name a new folder" in told.output
    assert [*tmp_path.iterdir()] == [tmp_path / "mine"]
