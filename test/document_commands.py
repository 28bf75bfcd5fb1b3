"""What README, docs, configurations and help texts tell a reader to type, and whether it is understood.

Every command has a check by its first word; a word without one fails, so that no command is left unchecked.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import typer
from figures import FIGURES

from reloc_ros import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
SHARE = "$(ros2 pkg prefix --share reloc_ros)/"
VERBS = typer.main.get_command(cli.app).commands

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_STATIC_TRANSFORM = {"--x", "--y", "--z", "--roll", "--pitch", "--yaw", "--frame-id", "--child-frame-id"}
_OTHERS_NODES = {
    ("tf2_ros", "static_transform_publisher"): _STATIC_TRANSFORM,
    ("image_transport", "republish"): set(),
    ("robot_localization", "ekf_node"): set(),
}
_OTHERS_LAUNCH = {
    ("nav2_bringup", "bringup_launch.py"): {"map", "use_localization", "slam", "use_composition"},
    ("nav2_bringup", "navigation_launch.py"): set(),
}


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    kind: str
    """What stands behind the fence: sh, yaml, python; often nothing."""
    text: str


def blocks(kind: str) -> list[Block]:
    return [
        Block(str(page.relative_to(ROOT)), found[1], found[2])
        for page in PAGES
        for found in _FENCE.finditer(page.read_text(encoding="utf-8"))
        if found[1] == kind
    ]


def spans() -> Iterator[tuple[str, str]]:
    """Page and text of everything that is set as code within a sentence."""
    for page in PAGES:
        for found in _SPAN.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
            yield str(page.relative_to(ROOT)), found[1]


def commands_of(text: str) -> list[tuple[str, ...]]:
    """The words of each command of a shell text: comments left out, continued lines joined, a && b taken apart."""
    found = []
    for line in text.replace("\\\n", " ").replace(SHARE, "@share/").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in ("&&", ";", "|"):
                words.append(word)
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            found += [tuple(words)] if words else []
            words = []
    return found


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as it stands in a page, a configuration or a help text."""

    where: str
    words: tuple[str, ...]
    is_whole: bool = True
    """In a block: it may be typed as it stands. A sentence may leave out the workspace."""


def commands() -> list[Command]:
    return [*block_commands(), *_commands_in_sentences(), *_commands_in_comments(), *_commands_in_help()]


def block_commands() -> list[Command]:
    """Those of the fenced shell blocks of all pages, in their order."""
    return [Command(block.page, words) for block in blocks("sh") for words in commands_of(block.text)]


def _commands_in_sentences() -> Iterator[Command]:
    for page, text in spans():
        first, *rest = text.split()
        if rest and (first in ("reloc", "ros2", "pip", "python") or first.startswith("scripts/")):
            yield from (Command(page, words, is_whole=False) for words in commands_of(text))


def _commands_in_comments() -> Iterator[Command]:
    for path in [*(ROOT / "config").glob("*.yaml"), *(ROOT / "launch").glob("*.py")]:
        text = re.sub(r"^# *", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for line in re.findall(r"^ros2 (?:launch|run) .*(?:(?<=\\)\n.*)*", text, re.MULTILINE):
            yield from (Command(path.name, words) for words in commands_of(line))


def _commands_in_help() -> Iterator[Command]:
    for name, verb in VERBS.items():
        for example in re.findall(r"\[bold\](reloc .*?)\[/bold\]", verb.help, re.DOTALL):
            for words in commands_of(" ".join(example.split())):
                yield Command(f"reloc {name} --help", words)


def check(words: Sequence[str], is_whole: bool = True) -> None:
    """Raise where a command would not be understood."""
    first, *rest = words
    if first == "reloc":
        _reloc(rest, is_whole)
    elif first.startswith("scripts/"):
        _script(first, rest)
    elif first.endswith("/reloc_node"):
        _node(rest)
    else:
        _CHECKS[first](rest)


def _reloc(words: list[str], is_whole: bool) -> None:
    verb, *arguments = words
    if verb == "COMMAND":
        assert arguments == ["--help"]
    elif verb.startswith("-"):
        assert verb == "--version" and not arguments
    elif is_whole:
        VERBS[verb].make_context(verb, arguments)  # raises where an option, a number or a choice is none
    else:
        given = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        assert given <= options_of_reloc(verb), f"{given - options_of_reloc(verb)} of reloc {verb}"


def options_of_reloc(verb: str) -> set[str]:
    return {option for each in VERBS[verb].params for option in (*each.opts, *each.secondary_opts)} | {
        "--help"
    }


def _script(name: str, words: list[str]) -> None:
    script = ROOT / name
    assert os.access(script, os.X_OK), f"{name} cannot be run"
    module = re.search(r"^exec python -m (\S+)", script.read_text(encoding="utf-8"), re.MULTILINE)
    if module is None:
        assert not words or name == "scripts/matrix", f"{name} takes no arguments"
    elif module[1] == "pytest":
        missing = [word for word in words if word.startswith("test/") and not (ROOT / word).exists()]
        assert not missing, missing
    else:
        _module(["-m", module[1], *words])


def _module(words: list[str]) -> None:
    if words[0] != "-m":
        assert words[0] == "scripts/figures.py" and {*words[1:]} <= set(FIGURES), words
        return
    _, module, *arguments = words
    if module != "venv":
        given = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
        assert given <= options_of_module(module), f"{given - options_of_module(module)} of {module}"


@functools.lru_cache
def options_of_module(module: str) -> frozenset[str]:
    """The options that `python -m MODULE --help` tells."""
    path = os.pathsep.join(filter(None, (str(ROOT / "test"), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        env=os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1", "TERM": "dumb", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][\w-]*", run.stdout))


def _ros2(words: list[str]) -> None:
    verb, *rest = words
    if verb == "launch":
        package, file, *arguments = rest
        known = launch_arguments(file) if package == "reloc_ros" else _OTHERS_LAUNCH[package, file]
        for argument in arguments:
            name, assigned, value = argument.partition(":=")
            assert assigned and name in known, f"{file} has no argument {name}"
            if value.startswith("@share/"):
                assert (ROOT / value.removeprefix("@share/")).is_file(), value
    elif verb == "run" and rest[0] == "reloc_ros":
        assert (ROOT / "nodes" / rest[1]).is_file()
        _node(rest[2:])
    elif verb == "run":
        if len(rest) > 1:
            options = {word for word in rest[2:] if re.match("--[a-z]", word)}
            assert options <= _OTHERS_NODES[rest[0], rest[1]] | {"--ros-args", "--params-file"}
    else:
        assert verb in ("bag", "interface", "topic", "param", "pkg", "security")


def _node(words: list[str]) -> None:
    """Parameters that are given to the node by `-p`."""
    given = [b.partition(":=")[0] for a, b in itertools.pairwise(words) if a == "-p"]
    assert set(given) <= set(parameters()), given


def parameters(of_camera: bool = False) -> dict[str, dataclasses.Field]:
    """The node's parameters, or those of each of several cameras, by name."""
    from reloc_ros.ros.control.camera_parameters import CAMERA_FIELDS
    from reloc_ros.ros.control.parameters import FIELDS

    return CAMERA_FIELDS if of_camera else FIELDS


@functools.lru_cache
def launch_arguments(file: str) -> frozenset[str]:
    """Arguments that a launch file declares, by itself or by the files that it includes; read, not run."""
    text = (ROOT / "launch" / file).read_text(encoding="utf-8")
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            names |= {word.value for word in node.args if isinstance(word, ast.Constant)}
        is_table = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
            "arguments",
            "PARAMETERS",
        )
        if is_table:
            names |= {key.value for key in node.value.keys if key is not None}
    included = () if file == "reloc.launch.py" else re.findall(r'"(reloc\.launch\.py)"', text)
    return frozenset(names).union(*(launch_arguments(each) for each in included))


def _pip(words: list[str]) -> None:
    assert words[0] in ("install", "wheel")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # tomllib is of Python 3.11
    extras = set(
        re.findall(r"^(\w+) = \[", text.partition("[project.optional-dependencies]")[2], re.MULTILINE)
    )
    known = set(re.findall(r'"([\w-]+)(?:\[.*?\])?[<>=]', text))
    for word in words[1:] if words[0] == "install" else ():
        own = re.fullmatch(r"(?:reloc_ros|dist/reloc_ros-[\w.-]+\.whl)\[([\w,]+)\]", word)
        if own:
            assert set(own[1].split(",")) <= extras, word
        else:
            assert re.split("[<>=]", word)[0] in known, f"{word} is no dependency of the project"


def _source(words: list[str]) -> None:
    known = r"(/opt/ros/jazzy|install|\.venv(-kilted)?)/setup\.bash|venv/bin/activate"
    assert re.fullmatch(known, words[0]), words


def _colcon(words: list[str]) -> None:
    assert words[1:] in ([], ["--packages-select", "reloc_ros"])


def _prefixed(words: list[str]) -> None:
    """One that runs a command of ours within bounds."""
    check(words[words.index("reloc") :])


def _folder(words: list[str]) -> None:
    folder = words[0]
    assert not folder.startswith("@share/") or (ROOT / folder.removeprefix("@share/")).is_dir(), folder


def _anything(words: list[str]) -> None:
    """A command of the system, of which nothing is this project's."""


_CHECKS: dict[str, Callable[[list[str]], None]] = {
    "reloc": _reloc,
    "ros2": _ros2,
    "python": _module,
    "python3": _module,
    "pip": _pip,
    ".": _source,
    "colcon": _colcon,
    "cd": _folder,
    "systemd-run": _prefixed,
    **dict.fromkeys(("export", "git", "rosdep", "sudo", "touch", "rerun", "bloom-release"), _anything),
}
