import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reloc_ros.io.atomic import atomic_path, finish_commit, scratch_folder, staged, write_json


def test_file_appears_only_when_the_block_succeeds(tmp_path):
    target = tmp_path / "sub" / "model.npz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".npz"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_no_litter(tmp_path, failure):
    target = tmp_path / "model.npz"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_replaces_a_folder_whole(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_half_written_folder_is_removed(tmp_path):
    target = tmp_path / "bundle"
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "file").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_a_defect(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x"):
        pass


def test_json_goes_there_and_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2.5, None]}


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("old")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}


def test_files_change_together(folder):
    with staged(folder) as new:
        for name in ("a", "b", "d"):
            (new / name).write_text("new")
        assert set(contents(folder).values()) == {"old"}
    assert contents(folder) == {"a": "new", "b": "new", "c": "old", "d": "new"}
    assert not [file for file in folder.iterdir() if file.is_dir()]


def test_a_failure_before_the_end_changes_nothing(folder):
    with pytest.raises(KeyboardInterrupt), staged(folder) as new:
        (new / "a").write_text("new")
        raise KeyboardInterrupt
    finish_commit(folder)
    assert set(contents(folder).values()) == {"old"} and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_commit_that_was_stopped_half_way_is_finished_later(folder, monkeypatch, moves):
    replace, done = Path.replace, []

    def stopping(self, target):
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(self)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopping)
    with pytest.raises(KeyboardInterrupt), staged(folder) as new:
        for name in ("a", "b", "d"):
            (new / name).write_text("new")
    monkeypatch.undo()
    finish_commit(folder)
    assert contents(folder) == {"a": "new", "b": "new", "c": "old", "d": "new"}


def test_what_a_killed_process_had_staged_is_dropped(folder):
    (folder / ".staged").mkdir()
    (folder / ".staged" / "c").write_text("half")
    with staged(folder) as new:
        (new / "a").write_text("new")
    assert contents(folder) == {"a": "new", "b": "old", "c": "old"}


def killed() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_a_killed_process_left_of_a_target_is_cleared_away_by_the_next(tmp_path):
    dead, target = killed(), tmp_path / "a [1].json"
    for left in (f".new-{dead}-01234567-{target.name}", f".old-{dead}-01234567-{target.name}"):
        (tmp_path / left).mkdir()
    others = [f".new-{dead}-01234567-b.json", f".new-{os.getpid()}-01234567-{target.name}", ".new-thing"]
    for other in others:
        (tmp_path / other).touch()
    target.touch()
    write_json(target, 1)
    assert {file.name for file in tmp_path.iterdir()} == {target.name, *others}


def test_a_folder_that_a_killed_process_had_just_put_aside_is_put_back(tmp_path):
    aside = tmp_path / f".old-{killed()}-01234567-bundle"
    aside.mkdir()
    (aside / "whole").touch()
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "bundle"):
        raise RuntimeError
    assert [file.name for file in (tmp_path / "bundle").iterdir()] == ["whole"]
    assert not aside.exists()


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt])
def test_a_scratch_folder_is_gone_after_its_block(tmp_path, failure):
    with pytest.raises(KeyboardInterrupt) if failure else contextlib.nullcontext():  # noqa: SIM117
        with scratch_folder(tmp_path / "sub" / "bundle") as folder:
            assert folder.parent == tmp_path / "sub" and folder.stat().st_mode & 0o777 == 0o700
            (folder / "file").touch()
            if failure:
                raise failure
    assert not list((tmp_path / "sub").iterdir())


def test_the_scratch_folder_of_a_killed_process_is_cleared_away_by_the_next(tmp_path):
    code = "import os, reloc_ros.io.atomic as a\nwith a.scratch_folder('a'): os.kill(os.getpid(), 9)"
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    (left,) = tmp_path.iterdir()
    with scratch_folder(tmp_path / "a") as folder, scratch_folder(tmp_path / "a") as another:
        assert set(tmp_path.iterdir()) == {folder, another} and left.name not in (folder.name, another.name)


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_link_gives_way_to_what_is_written_and_what_it_led_to_stays(tmp_path, is_folder):
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    target = tmp_path / "current"
    target.symlink_to(tmp_path / "old" if is_folder else tmp_path / "old" / "file")
    with atomic_path(target) as temporary:
        (tmp_path / "new" if is_folder else tmp_path / "new" / "file").rename(temporary)
    assert not target.is_symlink()
    assert (target / "file" if is_folder else target).read_text() == "new"
    assert (tmp_path / "old" / "file").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_cleared_away_is_left(tmp_path, monkeypatch):
    left = tmp_path / f".new-{killed()}-01234567-a"
    left.mkdir()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("reloc_ros.io.atomic._remove", refuse)
    with scratch_folder(tmp_path / "a"):
        assert left.exists()


def test_two_processes_may_finish_a_commit(folder, monkeypatch):
    with staged(folder) as new:
        for name in ("a", "b"):
            (new / name).write_text("new")
        monkeypatch.setattr("reloc_ros.io.atomic.finish_commit", lambda _: None)
    committed, replace = folder / ".committed", Path.replace

    def after_another(file: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        finish_commit(folder)
        return replace(file, target)

    monkeypatch.setattr(Path, "replace", after_another)
    finish_commit(folder)
    assert contents(folder) == {"a": "new", "b": "new", "c": "old"} and not committed.exists()
