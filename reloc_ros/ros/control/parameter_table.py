"""The parameters as the documentation lists them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from reloc_ros.ros.control.camera_parameters import CAMERA_FIELDS
from reloc_ros.ros.control.parameters import FIELDS


def parameter_table(fields: Iterable[dataclasses.Field] = FIELDS.values(), prefix: str = "") -> str:
    """All parameters as a Markdown table, as it stands in docs/reference/parameters.md."""
    rows = ["| parameter | default | may change | |", "|---|---|---|---|"]
    for field in fields:
        limits, text = field.metadata["limits"], field.metadata["description"]
        allowed = ", ".join(field.metadata["choices"]) or (f"{limits[0]} to {limits[1]}" if limits else "")
        text += f" ({allowed})" if allowed else ""
        default = json.dumps(field.default) if isinstance(field.default, (bool, tuple)) else field.default
        shown = f" `{default}` " if default != "" else " "
        rows.append(f"| `{prefix}{field.name}` |{shown}| {field.metadata['change'].value} | {text} |")
    return "\n".join(rows)


def camera_parameter_table() -> str:
    """Those of each of several cameras, likewise."""
    return parameter_table(CAMERA_FIELDS.values(), "NAME.")
