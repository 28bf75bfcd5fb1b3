"""What README and docs tell a reader to type is understood, and what is cheap is run."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from document_commands import (
    PAGES,
    ROOT,
    VERBS,
    block_commands,
    blocks,
    check,
    commands,
    launch_arguments,
    options_of_module,
    options_of_reloc,
    parameters,
    spans,
)
from image_bag import write_image_bag
from scenes import noise_image
from synthetic_model import make_model
from table_bundle import CAMERA, make_table_bundle, view
from walks import write_walk

from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.workspace import Workspace

COMMANDS = commands()
MODULES = [
    f"reloc_ros.{name}"
    for name in ("demo", "bench", "bench.node.load", "bench.mapping", "bench.labels", "bench.kills")
]
NO_ROS = "some of the commands are of programs that import ROS"
OTHERS_OPTIONS = {"--shm-size", "--ros-args", "--csv", "--help", "--new-track"}
"""Of programs that are not ours."""


@pytest.mark.parametrize("where", sorted({command.where for command in COMMANDS}))
def test_every_command_is_understood(where):
    pytest.importorskip("rclpy", reason=NO_ROS)
    for command in COMMANDS:
        if command.where == where:
            try:
                check(command.words, command.is_whole)
            except Exception as error:
                pytest.fail(f"{' '.join(command.words)}: {type(error).__name__}: {error}")


@pytest.mark.parametrize(
    "wrong",
    [
        "reloc run desk.bundle",
        "reloc run desk.bundle walk.mp4 --tumm walk.tum",
        "reloc map photos -w desk --frames many",
        "reloc fly",
        "ros2 launch reloc_ros reloc.launch.py bundel:=/maps/office",
        "ros2 launch reloc_ros relok.launch.py",
        "ros2 run reloc_ros reloc_node --ros-args -p bundel:=desk",
        "scripts/bench --sift",
        "scripts/benchmark",
        "scripts/test test/no_such_room",
        "python -m reloc_ros.bench.mapping --walks 3",
        "pip install reloc_ros[lidar]",
        "pip install leftpad",
        ". .venv/activate",
        "frobnicate",
    ],
)
def test_what_nobody_understands_is_found(wrong):
    with pytest.raises(Exception):  # noqa: B017 each check refuses in its own way
        check(wrong.split())


def test_every_option_in_a_sentence_is_one():
    pytest.importorskip("rclpy", reason=NO_ROS)
    ours = set().union(*map(options_of_reloc, VERBS), *map(options_of_module, MODULES))
    for page, text in spans():
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", text) if text.startswith("--") else ()
        assert {*options} <= ours | OTHERS_OPTIONS, f"{page}: {text}"


def test_every_launch_argument_in_a_sentence_is_one():
    files = ("reloc.launch.py", "nav2_localization.launch.py", "replay.launch.py")
    known = set(parameters()).union(*map(launch_arguments, files), ("slam", "use_composition", "__ns"))
    for page, text in spans():
        assert {*re.findall(r"(?<![\w./])(\w+):=", text)} <= known, f"{page}: {text}"


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.page)
def test_every_parameter_in_a_yaml_block_is_one_and_may_have_that_value(block):
    for section in yaml.safe_load(block.text).values():
        values = section["ros__parameters"]
        for name, value in values.items():
            camera, _, own = name.rpartition(".")
            assert not camera or camera in values["cameras"]
            field = parameters(of_camera=bool(camera))[own]
            expected = (int, float) if isinstance(field.default, float) else type(field.default)
            assert isinstance(tuple(value) if isinstance(value, list) else value, expected), name
            limits, choices = field.metadata["limits"], field.metadata["choices"]
            assert not limits or limits[0] <= value <= limits[1], name
            assert not choices or value in choices, name


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with what the commands of the documents name: a workspace, a bundle, recordings and lists."""
    folder = tmp_path_factory.mktemp("place")
    model = make_model(images=13, points=1100, camera="pinhole")
    model = dataclasses.replace(model, point_ids=np.arange(1100))  # README measures from 1042 to 877
    (folder / "images").mkdir()
    for index, name in enumerate(model.names):
        cv2.imwrite(str(folder / "images" / name), noise_image(index, 640, 480))
    workspace = Workspace.create(folder / "desk", folder / "images", model.names, "every:5:2")
    model.save(workspace.model_path)
    workspace.record("map", {}, [workspace.model_path], {"models": 1})
    make_table_bundle(folder / "desk.bundle")
    (folder / "photos").mkdir()
    for index in (1, 2):
        cv2.imwrite(str(folder / "photos" / f"{index}.png"), view(index))
    cv2.imwrite(str(folder / "photo.jpg"), view(3))
    write_walk(folder / "walk.mp4", (1, 2, 0))
    write_image_bag(folder / "walk.mcap", {"/camera/image_raw": [view(1), view(2)]}, CAMERA)
    corners = [(0, 0, 0), (0.4, 0, 0), (0, 0.4, 0), (0, 0, 0.8)]
    faces = [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    header = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 4\nproperty list uchar int vertex_indices\nend_header\n"
    rows = [*(" ".join(map(str, corner)) for corner in corners), *(f"3 {a} {b} {c}" for a, b, c in faces)]
    (folder / "chair.ply").write_text(header + "\n".join(rows) + "\n")
    return folder


OUTPUTS = ("--tum", "--overlay", "--bag", "--rerun", "--export", "-o")
CHEAP = ("clean", "align", "select", "label", "report", "run")
"""The verbs that take a second on little data. Those that map, train, measure and export have tests of their own."""


def test_the_cheap_commands_do_what_they_say(place, reloc, monkeypatch):
    monkeypatch.chdir(place)
    ran = []
    for command in block_commands():
        program, *words = command.words
        if program != "reloc" or words[0] not in CHEAP:
            continue
        if "--rerun" in words and importlib.util.find_spec("rerun") is None:
            continue
        if "--points" in words:  # in the frame that the commands before have made
            points = map_model(Workspace.open(place / "desk")).points_map[:40]
            (place / "points.txt").write_text("".join(f"{x} {y} {z}  # a corner\n" for x, y, z in points))
        code, printed = reloc(*words)
        assert code == 0, f"{command.where}: {' '.join(command.words)}: {printed}"
        written = [words[i + 1] for i, word in enumerate(words) if word in OUTPUTS]
        for name in written:
            assert (place / name).exists(), f"{' '.join(command.words)} did not write {name}"
        ran.append(words[0])
    assert set(ran) == set(CHEAP)
    assert json.loads((place / "poses.json").read_text())


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.page)
def test_every_python_block_runs(block, place, monkeypatch):
    monkeypatch.chdir(place)
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)
    exec(compile(block.text, block.page, "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {
                re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
            }
            assert anchor in anchors, f"{page.name}: {target}"
