from pathlib import Path

import pytest
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.node_parameters import NodeParameters
from reloc_ros.ros.control.parameter_field import Change
from reloc_ros.ros.control.parameter_table import camera_parameter_table, parameter_table
from reloc_ros.ros.control.parameters import FIELDS, Parameters

CONFIG = Path(__file__).parents[2] / "config" / "reloc.yaml"


@pytest.fixture
def declared(context):
    """declared(is_configured, NAME=VALUE...) -> (node, parameters, changes)."""
    nodes = []

    def make(is_configured=False, **overrides):
        given = [Parameter(name, value=value) for name, value in overrides.items()]
        node = Node("reloc", context=context, parameter_overrides=given)
        nodes.append(node)
        changes = []
        parameters = NodeParameters(node, lambda: is_configured, lambda: changes.append(parameters.current))
        return node, parameters, changes

    yield make
    for node in nodes:
        node.destroy_node()


def test_the_config_file_shows_every_parameter_at_its_default():
    config = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    assert config == {name: yaml_of(getattr(Parameters(), name)) for name in FIELDS}


def yaml_of(value):
    return list(value) if isinstance(value, tuple) else value


def test_every_parameter_is_described_with_its_range(declared):
    node, given, _ = declared()
    assert given.current == Parameters()
    for name, field in FIELDS.items():
        descriptor = node.describe_parameter(name)
        assert descriptor.description.endswith("."), name
        assert descriptor.read_only == (field.metadata["change"] is Change.START)
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert descriptor.integer_range or descriptor.floating_point_range, name


def test_overrides_are_taken(declared):
    _, given, _ = declared(bundle="/maps/office", lost_after=7, max_speed=0.5, tf_inverse=True)
    assert given.current == Parameters(bundle="/maps/office", lost_after=7, max_speed=0.5, tf_inverse=True)


def test_a_whole_number_is_taken_for_a_double_at_start_and_later(declared):
    node, given, changes = declared(is_configured=True, max_speed=3, covariance_scale=4)
    assert (given.current.max_speed, given.current.covariance_scale) == (3.0, 4.0)
    assert node.get_parameter("max_speed").type_ is Parameter.Type.DOUBLE
    assert set_one(node, "max_speed", 5) == (True, "")
    assert changes[-1].max_speed == node.get_parameter("max_speed").value == 5.0
    assert node.set_parameters_atomically([Parameter("max_speed", value=6)]).successful
    for name, value in (("max_speed", 1001), ("max_speed", True), ("lost_after", 2.0)):
        assert not set_one(node, name, value)[0]
    assert given.current.max_speed == 6.0


@pytest.mark.parametrize(
    "arguments",
    [["-p", "max_speed:=3"], ["--params-file", "FILE"]],
    ids=["command line", "yaml, as launch writes it"],
)
def test_a_whole_number_comes_from_the_command_line_and_from_files(context, tmp_path, arguments):
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters:\n    max_speed: 3\n")
    words = ["--ros-args", *(str(file) if word == "FILE" else word for word in arguments)]
    node = Node("reloc", context=context, cli_args=words)
    assert NodeParameters(node, lambda: False, lambda: None).current.max_speed == 3.0
    node.destroy_node()


def test_a_switch_may_be_a_bool_as_yaml_reads_it(declared):
    node, given, _ = declared(image_rectified=True)
    assert given.current == Parameters(image_rectified="true")
    assert set_one(node, "image_rectified", False)[0] and given.current.image_rectified == "false"
    assert set_one(node, "image_rectified", "auto")[0] and given.current.image_rectified == "auto"
    assert not set_one(node, "image_rectified", 1)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_speed", 0),
        ("max_speed", True),
        ("image_rectified", "perhaps"),
        ("image_rectified", 1),
        ("backend", "magic"),
        ("lost_after", 0),
        ("lost_after", "three"),
        ("max_speed", -1.0),
        ("tf_inverse", "yes"),
    ],
)
def test_wrong_values_are_refused_by_name(declared, name, value):
    with pytest.raises(RelocError, match=f"parameter {name} must be"):
        declared(**{name: value})


def set_one(node, name, value):
    (result,) = node.set_parameters([Parameter(name, value=value)])
    return result.successful, result.reason


def test_what_is_read_at_configure_changes_only_before_it(declared):
    node, given, changes = declared()
    assert set_one(node, "bundle", "/maps/office") == (True, "")
    assert given.current.bundle == node.get_parameter("bundle").value == "/maps/office"
    assert changes == []
    node, given, changes = declared(is_configured=True)
    successful, reason = set_one(node, "bundle", "/maps/office")
    assert (successful, "clean the node up first" in reason) == (False, True)
    assert given.current.bundle == node.get_parameter("bundle").value == ""
    assert set_one(node, "bundle", "")[0]


def test_what_may_change_at_any_time_is_checked_and_told(declared):
    node, given, changes = declared(is_configured=True)
    assert set_one(node, "max_rate_hz", 5.0) == (True, "")
    assert changes == [Parameters(max_rate_hz=5.0)] == [given.current]
    for name, value in (("max_rate_hz", -1.0), ("lost_after", 0), ("lost_after", "three")):
        successful, reason = set_one(node, name, value)
        assert not successful
        assert reason
    assert len(changes) == 1


def test_autostart_is_fixed_and_a_choice_is_checked(declared):
    node, _, _ = declared()
    assert not set_one(node, "autostart", False)[0]
    successful, reason = set_one(node, "backend", "magic")
    assert (successful, "must be one of auto, torch" in reason) == (False, True)


def test_several_changes_are_made_together_or_not_at_all(declared):
    node, given, _ = declared()
    both = [Parameter("lost_after", value=9), Parameter("backend", value="magic")]
    assert not node.set_parameters_atomically(both).successful
    assert given.current == Parameters()


def test_the_node_itself_may_tell_what_has_changed(declared):
    node, given, _ = declared(is_configured=True)
    given.set_own("bundle", "/maps/other")
    assert given.current.bundle == node.get_parameter("bundle").value == "/maps/other"


def test_documentation_lists_every_parameter_as_it_is_declared():
    page = Path(__file__).parents[2] / "docs" / "reference" / "parameters.md"
    text = page.read_text(encoding="utf-8")
    assert parameter_table() in text and camera_parameter_table() in text
