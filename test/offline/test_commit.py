from pathlib import Path

import pytest

from reloc_ros.offline.commit import finish_commit, staged


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
