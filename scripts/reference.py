"""Writes the pages of docs/reference, which are made from the code; scripts/docs runs it."""

from __future__ import annotations

import ast
import inspect
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer

from reloc_ros import cli
from reloc_ros.ros.control.parameter_table import camera_parameter_table, parameter_table

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by scripts/docs from the code: change that, not this page. -->\n"
VERBS = {command.name: command.callback for command in cli.app.registered_commands}
_TYPES = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "Path": "PATH", "bool": ""}


def pages() -> dict[str, str]:
    """Text of each page by its name."""
    made = {
        "parameters": _parameters(),
        "launch": _launch(),
        "messages": _messages(),
        "commands": _commands(),
    }
    return {f"{name}.md": f"{MADE}\n{text.rstrip()}\n" for name, text in made.items()}


def _parameters() -> str:
    return f"""# Parameters of the node

`config/reloc.yaml` lists them with their defaults. Those that may change only while the node is unconfigured are read
when it is configured; a change that cannot be made is refused with the reason. A whole number stands for a double:
`max_speed:=3`.

{parameter_table()}

## Of each of several cameras

By its name, which stands in `cameras`:

{camera_parameter_table()}
"""


def _launch() -> str:
    text = "# Launch files\n"
    for file in sorted(
        (ROOT / "launch").glob("*.py"), key=lambda file: (file.name != "reloc.launch.py", file.name)
    ):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        summary, *examples = filter(None, (ast.get_docstring(tree) or "").split("\n\n"))
        commands = "\n".join(example for example in examples if example.startswith("ros2 "))
        notes = "\n\n".join(example for example in examples if not example.startswith("ros2 "))
        rows = [f"| `{name}` |{_code(default)}| {told} |" for name, default, told in _launch_arguments(tree)]
        table = "\n".join(["| argument | default | |", "|---|---|---|", *rows])
        text += f"\n## {file.name}\n\n{summary}\n\n```sh\n{commands}\n```\n\n{notes}\n\n{table}\n"
    return re.sub(r"\n{3,}", "\n\n", text)


def _launch_arguments(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Name, default and description of each argument, read without `launch`, which no package registry has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("arguments", "PARAMETERS"):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if key is not None:
                    default, told = value.elts
                    yield key.value, "" if isinstance(default, ast.Name) else _default(default), told.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            words = {word.arg: word.value for word in node.keywords}
            if isinstance(node.args[0], ast.Constant):
                default = _default(words["default_value"]) if "default_value" in words else "required"
                yield node.args[0].value, default, words["description"].value


def _default(value: ast.expr) -> str:
    """A constant, or a path in the package's share folder."""
    if isinstance(value, ast.Constant):
        return str(value.value)
    return "/".join(part.value for part in ast.walk(value) if isinstance(part, ast.Constant))


def _messages() -> str:
    text = "# Messages and services\n\nAs their files define them; `ros2 interface show` tells the same.\n"
    for file in sorted([*(ROOT / "msg").glob("*.msg"), *(ROOT / "srv").glob("*.srv")]):
        text += f"\n## reloc_ros/{file.stem}\n\n```text\n{file.read_text(encoding='utf-8').strip()}\n```\n"
    return text


def _commands() -> str:
    text = "# Commands\n\n`reloc COMMAND --help` tells the same in a terminal.\n"
    for name, verb in VERBS.items():
        text += f"\n## reloc {name}\n\n{_prose(inspect.getdoc(verb) or '')}\n\n"
        rows = ["| | default | |", "|---|---|---|"]
        rows += (f"| {names} |{_code(default)}| {told} |" for names, default, told in _options(name, verb))
        text += "\n".join(rows) + "\n"
    text += "\n## Scripts of the repository\n\n| | |\n|---|---|\n"
    for script in sorted(file for file in (ROOT / "scripts").iterdir() if file.is_file()):
        lines = script.read_text(encoding="utf-8").splitlines()
        if lines and lines[0].startswith("#!"):
            text += f"| `scripts/{script.name}` | {lines[1].removeprefix('# ')} |\n"
    return text


def _options(name: str, verb: Callable) -> Iterator[tuple[str, str, str]]:
    """How each argument and option is written, its default, and what it is for."""
    hints = typing.get_type_hints(verb, include_extras=True)
    defaults = {each.name: each.default for each in inspect.signature(verb).parameters.values()}
    for parameter in typer.main.get_command(cli.app).commands[name].params:
        if parameter.name not in hints:
            continue
        info = hints[parameter.name].__metadata__[0]
        if isinstance(info, typer.models.ArgumentInfo):
            names = f"`{parameter.name.upper()}`"
        else:
            kind = _TYPES[_type_name(hints[parameter.name])]
            names = ", ".join(f"`{f'{each} {kind}'.strip()}`" for each in sorted(parameter.opts, key=len))
            names += "".join(f", `{each}`" for each in parameter.secondary_opts)
        told = _prose(info.help or "").replace("|", "\\|")
        limits = [str(limit) for limit in (info.min, info.max) if limit is not None]
        if limits:
            told += f" ({' to '.join(limits)})" if len(limits) == 2 else f" (at least {limits[0]})"
        default = defaults[parameter.name]
        yield names, "required" if default is inspect.Parameter.empty else _shown(default), told


def _type_name(hint: typing.Any) -> str:
    """Of `Annotated[Path | None, ...]` and `Annotated[list[str] | None, ...]`: Path and str."""
    names = re.findall(r"\b(str|int|float|bool|Path)\b", str(hint.__origin__))
    return names[0]


def _shown(default: object) -> str:
    if default is None or isinstance(default, bool):
        return {True: "yes", False: ""}.get(default, "")
    return json.dumps(default) if isinstance(default, (list, tuple)) else str(default)


def _code(default: str) -> str:
    return {"": " ", "required": " required ", "yes": " yes "}.get(default, f" `{default}` ")


def _prose(text: str) -> str:
    """Markdown of a help text."""
    return re.sub(r"\[/?bold\]", "`", text).replace("\\[", "[").strip()


def write(made: Iterable[tuple[str, str]]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in made:
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(pages().items())
