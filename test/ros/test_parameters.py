import dataclasses
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from reloc_ros.errors import RelocError
from reloc_ros.ros.parameters import Parameters, declare_parameters, parameter_table

CONFIG = Path(__file__).parents[2] / "config" / "reloc.yaml"


@pytest.fixture
def context():
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


def declared(context, **overrides):
    given = [Parameter(name, value=value) for name, value in overrides.items()]
    node = Node("reloc", context=context, parameter_overrides=given)
    try:
        return declare_parameters(node), {
            field.name: node.describe_parameter(field.name) for field in dataclasses.fields(Parameters)
        }
    finally:
        node.destroy_node()


def test_the_config_file_shows_every_parameter_at_its_default():
    config = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    assert config == dataclasses.asdict(Parameters())


def test_every_parameter_is_described_and_fixed(context):
    parameters, descriptors = declared(context)
    assert parameters == Parameters()
    for field in dataclasses.fields(Parameters):
        descriptor = descriptors[field.name]
        assert descriptor.description.endswith("."), field.name
        assert descriptor.read_only
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert descriptor.integer_range or descriptor.floating_point_range, field.name


def test_overrides_are_taken(context):
    parameters, _ = declared(context, bundle="/maps/office", lost_after=7, max_speed=0.5, tf_inverse=True)
    assert parameters == Parameters(bundle="/maps/office", lost_after=7, max_speed=0.5, tf_inverse=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backend", "magic"),
        ("lost_after", 0),
        ("lost_after", "three"),
        ("max_speed", -1.0),
        ("tf_inverse", "yes"),
    ],
)
def test_wrong_values_are_refused_by_name(context, name, value):
    with pytest.raises(RelocError, match=f"parameter {name} must be"):
        declared(context, **{name: value})


def test_readme_lists_every_parameter_as_it_is_declared():
    readme = Path(__file__).parents[2] / "README.md"
    assert parameter_table() in readme.read_text(encoding="utf-8")
