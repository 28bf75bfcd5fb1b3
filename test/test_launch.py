"""The launch files and the configurations agree with the node's parameters, topics and commands.

Without `launch`, which no package registry has, the files are read; where it is installed, they are run too.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
import yaml

from reloc_ros import cli

ROOT = Path(__file__).parent.parent
LAUNCH = ROOT / "launch"
NO_LAUNCH = "launch is in no package registry: needs a ROS distribution"


def parameters() -> dict[str, str]:
    """Name and type of each of the node's parameters, read from their one place without importing ROS."""
    found = {}
    for file, name in (("camera_parameters.py", "RigParameters"), ("parameters.py", "Parameters")):
        tree = ast.parse((ROOT / "reloc_ros" / "ros" / "control" / file).read_text())
        (table,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
        lines = (
            line
            for line in table.body
            if isinstance(line, ast.AnnAssign) and isinstance(line.value, ast.Call)
        )
        found |= {line.target.id: ast.unparse(line.annotation) for line in lines}
    return found


def assigned(name: str, file: str = "reloc.launch.py") -> ast.expr:
    """What a launch file assigns to a name at the top."""
    tree = ast.parse((LAUNCH / file).read_text())
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name
    )
    return value


def declared_in(file: str) -> set[str]:
    """Names of the launch arguments: of DeclareLaunchArgument, and the keys of tables that become some."""
    names = set()
    for node in ast.walk(ast.parse((LAUNCH / file).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            names |= {word.value for word in node.args if isinstance(word, ast.Constant)}
        is_table = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
            "arguments",
            "PARAMETERS",
        )
        if is_table:
            names |= {key.value for key in node.value.keys if key is not None}
    return names


def test_each_launch_argument_for_a_parameter_is_one_of_that_type():
    table = assigned("PARAMETERS")
    given = {
        key.value: ast.unparse(value.elts[0]) for key, value in zip(table.keys, table.values, strict=True)
    }
    assert given
    assert given.items() <= parameters().items()


def test_what_one_launch_file_passes_to_another_is_declared_there():
    wanted = {"bundle", "image", "camera_info", "tf_mode", "rviz", "namespace", "params_file", "autostart"}
    node = declared_in("reloc.launch.py")
    assert wanted <= node
    for file in ("replay.launch.py", "nav2_localization.launch.py"):
        tree = ast.parse((LAUNCH / file).read_text())
        passed = {
            key.value
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "IncludeLaunchDescription"
            for table in ast.walk(call)
            if isinstance(table, ast.Dict)
            for key in table.keys
        }
        assert passed
        assert passed <= node


def test_the_replay_is_started_with_options_that_it_has():
    tree = ast.parse((LAUNCH / "replay.launch.py").read_text())
    used = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--")
    }
    command = typer.main.get_command(cli.app).commands["replay"]
    assert used
    assert used <= {option for parameter in command.params for option in parameter.opts}


def test_rviz_shows_topics_that_the_node_has_and_the_launch_file_renames():
    config = yaml.safe_load((ROOT / "config" / "reloc.rviz").read_text())
    displays = config["Visualization Manager"]["Displays"]
    shown = {display["Topic"]["Value"] for display in displays if "Topic" in display}
    renamed = {f"/reloc/{topic.value}" for topic in assigned("TOPICS_IN_RVIZ").elts}
    assert shown == {*renamed, "/image"}
    sources = "".join(path.read_text() for path in (ROOT / "reloc_ros" / "ros").rglob("*.py"))
    for topic in renamed:
        assert f'/{topic.removeprefix("/reloc/")}"' in sources
    assert config["Visualization Manager"]["Global Options"]["Fixed Frame"] == "map"


def test_foxgloves_layout_shows_topics_and_fields_that_the_node_has():
    layout = json.loads((ROOT / "config" / "reloc.foxglove.json").read_text())
    panels = layout["configById"]

    def placed(part) -> list[str]:
        return [part] if isinstance(part, str) else placed(part["first"]) + placed(part["second"])

    assert sorted(placed(layout["layout"])) == sorted(panels)
    sources = "".join(path.read_text() for path in (ROOT / "reloc_ros" / "ros").rglob("*.py"))
    shown = {*panels["3D!map"]["topics"], panels["Image!debug"]["imageMode"]["imageTopic"]}
    for topic in shown:
        assert f'/{topic.removeprefix("/reloc/")}"' in sources
    fields = {
        line.split()[1]
        for line in (ROOT / "msg/RelocStatus.msg").read_text().splitlines()
        if line[:1].isalpha()
    }
    paths = [path["value"] for panel in panels.values() for path in panel.get("paths", ())]
    assert paths
    for topic, _, field in (path.partition(".") for path in paths):
        assert topic == "/reloc/status" and field in fields


@pytest.mark.parametrize(
    "file", ["reloc.yaml", "nav2.yaml", "robot_localization.yaml", "from_apriltags.yaml", "beside_amcl.yaml"]
)
def test_each_parameter_in_a_configuration_is_one(file):
    config = yaml.safe_load((ROOT / "config" / file).read_text())
    (section,) = (config[name] for name in ("/**", "/**/reloc") if name in config)
    kinds = {"str": str, "bool": bool, "int": int, "float": float, "tuple[str, ...]": list}
    known = parameters()
    for name, value in section["ros__parameters"].items():
        assert name in known
        assert type(value) is kinds[known[name]], name


def test_reloc_yaml_lists_every_parameter():
    config = yaml.safe_load((ROOT / "config" / "reloc.yaml").read_text())
    assert set(config["/**"]["ros__parameters"]) == set(parameters())


def test_in_each_configuration_one_node_gives_each_frame_its_parent():
    nav2 = yaml.safe_load((ROOT / "config" / "nav2.yaml").read_text())
    reloc = nav2["/**/reloc"]["ros__parameters"]
    assert (reloc["tf_mode"], reloc["autostart"]) == ("map_odom", False)
    assert "reloc" in nav2["/**/lifecycle_manager_localization"]["ros__parameters"]["node_names"]
    filters = yaml.safe_load((ROOT / "config" / "robot_localization.yaml").read_text())
    reloc = filters["/**/reloc"]["ros__parameters"]
    links = set()
    for name in ("ekf_odom", "ekf_map"):
        each = filters[f"/**/{name}"]["ros__parameters"]
        assert each["publish_tf"]
        # As robot_localization does: with world_frame odom it publishes odom -> base_link, with map, map -> odom.
        child = each["base_link_frame" if each["world_frame"] == each["odom_frame"] else "odom_frame"]
        links.add((each["world_frame"], child))
        for sensor, value in each.items():
            if sensor.endswith("_config"):
                assert len(value) == 15
                assert all(isinstance(flag, bool) for flag in value)
                assert sensor.removesuffix("_config") in each
    assert links == {("odom", "base_link"), ("map", "odom")}
    assert reloc["tf_mode"] == "none"
    assert reloc["pose_frame"] == filters["/**/ekf_map"]["ros__parameters"]["base_link_frame"]
    assert filters["/**/ekf_map"]["ros__parameters"]["pose0"] == "reloc/pose_with_covariance"
    assert "pose0" not in filters["/**/ekf_odom"]["ros__parameters"]  # that one must not jump


@pytest.mark.parametrize("file", ["nav2.yaml", "robot_localization.yaml"])
def test_the_configurations_hold_in_any_namespace(file):
    sections = yaml.safe_load((ROOT / "config" / file).read_text())
    assert sections
    assert all(name.startswith("/**/") for name in sections)


def test_nav2s_manager_waits_for_a_node_that_comes_up_slowly():
    """Since Kilted it waits for 5 s by default until a node is there, and for its state."""
    nav2 = yaml.safe_load((ROOT / "config" / "nav2.yaml").read_text())
    assert nav2["/**/lifecycle_manager_localization"]["ros__parameters"]["service_timeout"] >= 30


def test_a_namespace_has_a_tree_of_its_own_with_nav2():
    pairs = {("/tf", "tf"), ("/tf_static", "tf_static")}
    for file in ("reloc.launch.py", "nav2_localization.launch.py"):
        assert {
            tuple(word.value for word in pair.elts) for pair in assigned("RELATIVE_TF", file).elts
        } == pairs


def load(file: str):
    spec = importlib.util.spec_from_file_location(file.partition(".")[0], LAUNCH / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", [path.name for path in sorted(LAUNCH.glob("*.launch.py"))])
def test_a_launch_file_loads_and_describes_its_arguments(file):
    launch = pytest.importorskip("launch.actions", reason=NO_LAUNCH)
    pytest.importorskip("launch_ros", reason=NO_LAUNCH)
    entities = load(file).generate_launch_description().entities
    arguments = [entity for entity in entities if isinstance(entity, launch.DeclareLaunchArgument)]
    assert {argument.name for argument in arguments} == declared_in(file)
    assert all(argument.description for argument in arguments)


RECORDER = """
import json, os, sys
with open(os.environ["RECORDED"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
for flag, name in zip(sys.argv, sys.argv[1:]):
    if flag == "--params-file":  # launch removes it
        os.link(name, os.environ["RECORDED"] + name.replace("/", "_"))
"""
SERVICE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription, SetLaunchConfiguration
from launch.launch_description_sources import PythonLaunchDescriptionSource

file, prefix, *words = sys.argv[1:]
arguments = [word.split(":=", 1) for word in words]
service = LaunchService(argv=words)
service.include_launch_description(
    LaunchDescription(
        [
            *([SetLaunchConfiguration("launch-prefix", prefix)] if prefix else []),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=arguments),
        ]
    )
)
sys.exit(service.run())
"""


class Launcher:
    """Runs launch files in launch itself; what they start tells its command line and ends."""

    def __init__(self, folder: Path) -> None:
        self._recorder = folder / "recorder.py"
        self._recorder.write_text(RECORDER)
        self._recorded = folder / "recorded"
        self._env = os.environ | {"RECORDED": str(self._recorded), "ROS_LOG_DIR": str(folder)}

    def add_prefix(self, folder: Path) -> None:
        """Find the packages there, too."""
        known = self._env.get("AMENT_PREFIX_PATH", "")
        self._env["AMENT_PREFIX_PATH"] = f"{folder}{os.pathsep}{known}"

    def commands(self, file: str, **arguments: str) -> dict[str, list[str]]:
        """By the name of the executable, the words after it."""
        run = self.run(file, f"{sys.executable} {self._recorder}", **arguments)
        assert run.returncode == 0, run.stdout
        lines = [json.loads(line) for line in self._recorded.read_text().splitlines()]
        return {Path(words[0]).name: words[1:] for words in lines}

    def run(self, file: str, prefix: str = "", **arguments: str) -> subprocess.CompletedProcess[str]:
        words = [f"{name}:={value}" for name, value in arguments.items()]
        return subprocess.run(
            [sys.executable, "-c", SERVICE, str(LAUNCH / file), prefix, *words],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def parameters_of(self, command: list[str]) -> dict[str, object]:
        """What the parameter files on a command line say, the later ones over the earlier."""
        names = [word for flag, word in itertools.pairwise(command) if flag == "--params-file"]
        values: dict[str, object] = {}
        for name in names:
            kept = Path(str(self._recorded) + name.replace("/", "_"))
            for section in yaml.safe_load(kept.read_text()).values():
                values |= section["ros__parameters"]
        return values


@pytest.fixture
def launcher(tmp_path):
    pytest.importorskip("launch_ros", reason=NO_LAUNCH)
    return Launcher(tmp_path)


def test_arguments_reach_the_node(launcher):
    node = launcher.commands(
        "reloc.launch.py",
        bundle="/maps/office",
        image="/camera/image_raw",
        tf_mode="map_odom",
        namespace="robot1",
        autostart="false",
        use_sim_time="true",
        rviz="false",
    )["reloc_node"]
    assert {"image:=/camera/image_raw", "camera_info:=/camera/camera_info", "__ns:=/robot1"} <= set(node)
    values = launcher.parameters_of(node)
    expected = {"bundle": "/maps/office", "tf_mode": "map_odom", "autostart": False, "use_sim_time": True}
    assert expected.items() <= values.items()
    assert values["lost_after"] == 3  # from config/reloc.yaml


def test_nav2_in_a_namespace_gets_parameters_and_a_tree_of_its_own(launcher, tmp_path):
    nodes = tmp_path / "nav2"
    for package, executable in (
        ("nav2_map_server", "map_server"),
        ("nav2_lifecycle_manager", "lifecycle_manager"),
    ):
        program = nodes / "lib" / package / executable
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        index = nodes / "share" / "ament_index" / "resource_index" / "packages"
        index.mkdir(parents=True, exist_ok=True)
        (index / package).touch()
    launcher.add_prefix(nodes)
    commands = launcher.commands(
        "nav2_localization.launch.py",
        map="/maps/office.yaml",
        bundle="/maps/office",
        image="camera/image_raw",
        namespace="robot1",
        use_respawn="false",
    )
    assert set(commands) == {"reloc_node", "map_server", "lifecycle_manager"}
    for words in commands.values():
        assert {"/tf:=tf", "/tf_static:=tf_static", "__ns:=/robot1"} <= set(words)


def test_the_bare_command_starts_the_demo(launcher):
    commands = launcher.commands("reloc.launch.py", rviz="false")
    assert set(commands) == {"demo_camera", "reloc_node"}
    assert "--endless" in commands["demo_camera"]
    assert "__ns:=/demo" in commands["demo_camera"]
    assert {"image:=demo/image", "camera_info:=demo/camera_info"} <= set(commands["reloc_node"])
    bundle = Path(str(launcher.parameters_of(commands["reloc_node"])["bundle"]))
    assert (bundle / "manifest.json").exists()


def test_the_replay_waits_for_the_node_it_starts(launcher):
    commands = launcher.commands(
        "replay.launch.py",
        bag="walk.mcap",
        bundle="/maps/office",
        rviz="false",
        namespace="robot1",
        loop="true",
    )
    assert launcher.parameters_of(commands["reloc_node"])["use_sim_time"] is True
    replay = commands[Path(sys.executable).name]
    assert replay[:4] == ["-m", "reloc_ros.cli", "replay", "walk.mcap"]
    assert replay[replay.index("--wait-for") + 1] == "/robot1/reloc"
    assert "--loop" in replay


def test_a_word_that_is_no_truth_is_refused(launcher):
    run = launcher.run("reloc.launch.py", bundle="/maps/office", use_sim_time="maybe", rviz="false")
    assert run.returncode != 0
    assert "use_sim_time:= takes true or false, not maybe" in run.stdout


@pytest.mark.slow
def test_the_launched_demo_tracks_and_ends_with_one_interrupt(launcher, tmp_path, monkeypatch):
    pytest.importorskip("rclpy")
    from node_process import Peer
    from reloc_ros.msg import RelocStatus

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    log = tmp_path / "launch.log"
    peer = Peer()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(LAUNCH / "reloc.launch.py"), "", "rviz:=false"],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "ROS_LOG_DIR": str(tmp_path)},
            start_new_session=True,
        )
    try:
        deadline_s = time.monotonic() + 400  # it renders its pictures first
        while not any(status.state == RelocStatus.TRACKING for status in peer.statuses):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(60) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        peer.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
