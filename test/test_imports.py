"""Who may import whom: ros -> core <- offline, and nothing heavy on a robot's way to a pose."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reloc_ros"
SIDES = ("ros", "offline", "demo", "bench", "replay", "cli")
ROS_MODULES = {
    "rclpy",
    "rcl_interfaces",
    "sensor_msgs",
    "geometry_msgs",
    "std_msgs",
    "rosgraph_msgs",
    "nav_msgs",
    "std_srvs",
    "diagnostic_msgs",
    "lifecycle_msgs",
    "visualization_msgs",
    "bond",
    "bondpy",
    "builtin_interfaces",
    "tf2_ros",
    "tf2_msgs",
    "cv_bridge",
}


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def imported(file: Path) -> set[str]:
    """Full names of every module the file imports, at the top or inside of a function."""
    names = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def sources(side: str) -> list[Path]:
    return sorted((PACKAGE / side).rglob("*.py"))


@functools.cache
def names_in(module: str) -> set[str] | None:
    """What a module of ours defines or imports at its top, and its modules; None where there is no such file."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return None
    names = {each.stem for each in path.iterdir()} if path.is_dir() else set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_what_a_file_imports_from_another_is_there_inside_of_functions_too(file):
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "reloc_ros":
            if node.module in ("reloc_ros.msg", "reloc_ros.srv"):  # made by rosidl
                continue
            names = names_in(node.module)
            assert names is not None, node.module
            missing = {alias.name for alias in node.names} - names
            assert not missing, f"{node.module} has no {', '.join(missing)}"


CORE = sorted({*PACKAGE.rglob("*.py")} - {file for side in SIDES for file in sources(side)})


@pytest.mark.parametrize("file", CORE, ids=lambda path: path.name)
def test_the_core_imports_neither_side_nor_ros(file):
    for name in imported(file):
        assert not any(name.startswith(f"reloc_ros.{side}") for side in SIDES), name
        assert name.split(".")[0] not in ROS_MODULES, name


@pytest.mark.parametrize("file", sources("offline"), ids=lambda path: path.name)
def test_offline_knows_nothing_of_ros(file):
    for name in imported(file):
        assert not name.startswith("reloc_ros.ros"), name
        assert name.split(".")[0] not in ROS_MODULES, name


@pytest.mark.parametrize("file", sources("ros"), ids=lambda path: path.name)
def test_ros_knows_nothing_of_offline(file):
    assert not any(name.startswith("reloc_ros.offline") for name in imported(file))


@pytest.mark.parametrize(
    "module",
    [
        "reloc_ros.localizer",
        "reloc_ros.stream.status",
        "reloc_ros.pose.prior",
        "reloc_ros.stream.smoothing",
        "reloc_ros.cli",
    ],
)
def test_what_a_robot_or_the_help_text_imports_is_light(module):
    heavy = ("torch", "lightning", "rclpy", "pycolmap", "viser", "matplotlib", "openvino", "scipy", "onnx")
    script = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    # -W error: a deprecated import would break the users of the next release.
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


ALL = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted({file.parent for file in ALL})
MOST_FILES, MOST_LINES = 12, 300


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_a_room_says_what_it_is_for_and_is_small_enough_to_look_over(room):
    tree = tree_of(room / "__init__.py")
    assert room == PACKAGE or ast.get_docstring(tree), f"{room} does not say what it is for"
    members = [file for file in room.glob("*.py") if file.name not in ("__init__.py", "__main__.py")]
    assert len(members) <= (16 if room.name == "cli" else MOST_FILES), f"{room} holds {len(members)} files"
    assert len(room.relative_to(PACKAGE).parts) <= 2, f"{room} is too deep"


@pytest.mark.parametrize("file", ALL, ids=module_name)
def test_a_file_is_one_idea_long(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_modules_import_each_other_not_even_lazily():
    names = {module_name(file) for file in ALL}
    graph = {module_name(file): (imported(file) & names) - {module_name(file)} for file in ALL}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(names):
        visit(name, ())


EXECUTING_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib"}
EXECUTING_CALLS = {"eval", "exec", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}


@pytest.mark.parametrize("file", ALL, ids=module_name)
def test_data_is_never_executed(file):
    assert not {name.split(".")[0] for name in imported(file)} & EXECUTING_MODULES
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {ast.unparse(word) for word in node.keywords}
            where = f"{file}:{node.lineno}"
            assert called not in EXECUTING_CALLS and "allow_pickle=True" not in given, where
            assert called != "torch.load" or "weights_only=True" in given, where
