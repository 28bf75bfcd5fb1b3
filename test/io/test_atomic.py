import json

import pytest

from reloc_ros.io.atomic import atomic_path, write_json


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
