"""What a ROS parameter is beside its value: description, range, choices, and when it may change."""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Any

SWITCH = ("true", "false")
"""Among the choices of a parameter: it may be set to a bool as well."""


class Change(enum.Enum):
    """When a parameter may be set; the value is how the documentation says it."""

    START = "at start"
    UNCONFIGURED = "unconfigured"
    """It is read when the node is configured."""
    ALWAYS = "always"
    """It takes effect at once."""


def parameter(
    default: Any,
    description: str,
    limits: tuple | None = None,
    *,
    choices: tuple = (),
    change: Change = Change.UNCONFIGURED,
) -> Any:
    metadata = {"description": description, "limits": limits, "choices": choices, "change": change}
    return dataclasses.field(default=default, metadata=metadata)


live = functools.partial(parameter, change=Change.ALWAYS)
