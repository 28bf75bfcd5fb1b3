"""The parameters as the documentation lists them."""

from __future__ import annotations

from reloc_ros.ros.control.parameters import FIELDS


def parameter_table() -> str:
    """All parameters as a Markdown table, as it stands in docs/node.md."""
    rows = ["| parameter | default | may change | |", "|---|---|---|---|"]
    for field in FIELDS.values():
        limits, text = field.metadata["limits"], field.metadata["description"]
        allowed = ", ".join(field.metadata["choices"]) or (f"{limits[0]} to {limits[1]}" if limits else "")
        text += f" ({allowed})" if allowed else ""
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = f" `{default}` " if default != "" else " "
        rows.append(f"| `{field.name}` |{shown}| {field.metadata['change'].value} | {text} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(parameter_table())
