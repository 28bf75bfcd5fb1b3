"""The node's parameters as they stand: declared, checked, and changed where that can be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from reloc_ros.errors import RelocError
from reloc_ros.ros.control.camera_parameters import AS_THE_NODES, CAMERA_FIELDS, CameraParameters
from reloc_ros.ros.control.parameter_field import SWITCH, Change
from reloc_ros.ros.control.parameters import FIELDS, Parameters


class NodeParameters:
    """The parameters in force, and the refusal of changes that cannot be made now."""

    def __init__(self, node: Node, is_configured: Callable[[], bool], changed: Callable[[], None]) -> None:
        """Declare every parameter on `node`.

        Args:
            is_configured: whether the node has read those that it reads when it is configured.
            changed: called after a change that takes effect at once.

        Raises:
            RelocError: a given value is of the wrong type or outside of its range or choices.
        """
        self._node, self._is_configured, self._changed = node, is_configured, changed
        own = Parameters(**{field.name: _declare(node, field) for field in FIELDS.values()})
        rig = tuple(_declared_camera(node, name) for name in own.camera_names)
        self.current = dataclasses.replace(own, rig=rig)
        self._set_by_node = False
        if hasattr(node, "add_pre_set_parameters_callback"):  # since Iron
            node.add_pre_set_parameters_callback(_with_doubles)
        node.add_on_set_parameters_callback(self._on_set)

    def set_own(self, name: str, value: Any) -> None:
        """Set what the node has changed by itself, so that whoever asks for the parameter gets the truth."""
        self._set_by_node = True
        try:
            self._node.set_parameters([Parameter(name, value=value)])
        finally:
            self._set_by_node = False

    def _on_set(self, changes: Sequence[Parameter]) -> SetParametersResult:
        ours = {
            change.name: _word(FIELDS[change.name], change.value)
            for change in changes
            if change.name in FIELDS
        }
        for name, value in ours.items():
            if refusal := self._refusal(FIELDS[name], value):
                return SetParametersResult(successful=False, reason=refusal)
        before, self.current = self.current, dataclasses.replace(self.current, **ours)
        if self.current != before and self._is_configured():
            self._changed()
        return SetParametersResult(successful=True)

    def _refusal(self, field: dataclasses.Field, value: Any) -> str:
        if value == getattr(self.current, field.name) or self._set_by_node:
            return ""
        if field.metadata["change"] is Change.UNCONFIGURED and self._is_configured():
            return f"parameter {field.name} is read when the node is configured: clean the node up first"
        return _choice_refusal(field, value, field.name)


def _declared_camera(node: Node, name: str) -> CameraParameters:
    own = {field.name: _declare(node, field, f"{name}.") for field in CAMERA_FIELDS.values()}
    return CameraParameters(name, **own)


def _declare(node: Node, field: dataclasses.Field, prefix: str = "") -> Any:
    """Args: prefix: of one camera's, to which the choices of the node's own parameter hold."""
    limits, name = field.metadata["limits"], prefix + field.name
    choices = _choices(field)
    descriptor = ParameterDescriptor(description=field.metadata["description"])
    descriptor.read_only = field.metadata["change"] is Change.START
    descriptor.dynamic_typing = _is_switch(field)
    if choices:
        descriptor.additional_constraints = f"one of: {', '.join(choices)}"
    if limits:
        ranges = dict(zip(("from_value", "to_value"), limits, strict=True))
        if isinstance(field.default, int):
            descriptor.integer_range = [IntegerRange(**ranges)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(**ranges)]
    whole = _whole_override(node, name) if isinstance(field.default, float) else None
    initial = field.default if whole is None else float(whole)
    try:
        declared = node.declare_parameter(name, initial, descriptor, ignore_override=whole is not None)
        value = _word(field, declared.value)
    except ParameterException as error:
        kind = "list of strings" if isinstance(field.default, tuple) else type(field.default).__name__
        wanted = kind + (f" from {limits[0]} to {limits[1]}" if limits else "")
        raise RelocError(f"parameter {name} must be a {wanted} ({error})") from error
    if refusal := _choice_refusal(field, value, name):
        raise RelocError(refusal)
    return value


def _whole_override(node: Node, name: str) -> int | None:
    """The whole number that a parameter was given, if it was one: rclpy refuses 3 where a double is declared."""
    given = node.declare_parameter(name, descriptor=ParameterDescriptor(dynamic_typing=True)).value
    node.undeclare_parameter(name)
    return given if type(given) is int else None  # True is an int too


def _with_doubles(changes: list[Parameter]) -> list[Parameter]:
    """The changes, with whole numbers for doubles as doubles."""
    return [
        Parameter(change.name, value=float(change.value)) if _is_whole_double(change) else change
        for change in changes
    ]


def _is_whole_double(change: Parameter) -> bool:
    field = FIELDS.get(change.name)
    return field is not None and isinstance(field.default, float) and change.type_ is Parameter.Type.INTEGER


def _choices(field: dataclasses.Field) -> tuple[str, ...]:
    """Of one camera's, those of the node's own parameter, or none of them."""
    if field is CAMERA_FIELDS.get(field.name) and field.name in AS_THE_NODES:
        return ("", *choices) if (choices := FIELDS[field.name].metadata["choices"]) else ()
    return field.metadata["choices"]


def _is_switch(field: dataclasses.Field) -> bool:
    return set(SWITCH) <= set(_choices(field))


def _word(field: dataclasses.Field, value: Any) -> Any:
    """The choice that a bool stands for, as yaml reads `true`; a list as what cannot change."""
    if isinstance(field.default, tuple):
        return tuple(value or field.default)  # an empty list in yaml is none
    return str(value).lower() if isinstance(value, bool) and _is_switch(field) else value


def _choice_refusal(field: dataclasses.Field, value: Any, name: str) -> str:
    choices = _choices(field)
    if not choices or value in choices:
        return ""
    return f"parameter {name} must be one of {', '.join(filter(None, choices))}, got {value!r}"
