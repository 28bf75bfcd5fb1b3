import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reloc_ros.io.npz import read_npz, whole


def header(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    """How an array of that size begins."""
    stream = io.BytesIO()
    told = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, told)
    return stream.getvalue()


def archive(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as written:
        for name, data in members.items():
            written.writestr(name, data)
    return path


def test_arrays_of_every_shape_come_back(tmp_path):
    arrays = {
        "row": np.arange(10),
        "text": np.array("a name"),
        "empty": np.zeros((3, 0)),
        "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "flag": np.array(True),
        "zeros": np.zeros(200_000),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    read = read_npz(tmp_path / "a.npz")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_file_that_is_not_there_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")


def test_objects_are_no_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{"harmless": 1}], dtype=object))
    with pytest.raises(ValueError, match="Python's objects"):
        read_npz(tmp_path / "a.npz")


def test_a_header_of_more_than_there_is_takes_no_memory(tmp_path):
    file = archive(tmp_path / "a.npz", {"a.npy": header((10**15,)) + bytes(16)})
    with pytest.raises(ValueError, match="not as large as its header says"):
        read_npz(file)


def test_an_archive_that_announces_more_than_a_file_of_its_size_can_hold_is_refused(tmp_path):
    file = archive(tmp_path / "a.npz", {"a.npy": header((8,)) + bytes(64)})
    data = bytearray(file.read_bytes())
    at = data.rindex(b"PK\1\2") + 24
    data[at : at + 4] = (1 << 30).to_bytes(4, "little")
    file.write_bytes(data)
    with pytest.raises(ValueError, match="announces 1073741824 bytes"):
        read_npz(file)


def test_more_than_the_caller_takes_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(10_000.0), b=np.arange(10_000.0))
    with pytest.raises(ValueError, match="announces 160"):
        read_npz(tmp_path / "a.npz", most_bytes=100_000)
    assert len(read_npz(tmp_path / "a.npz", most_bytes=200_000)) == 2


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_never_compresses_with_is_refused(tmp_path, how):
    with pytest.raises(ValueError, match="compressed as no"):
        read_npz(archive(tmp_path / "a.npz", {"a.npy": header((1,)) + bytes(8)}, how))


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive", b"\x93NUMPY\1\0"])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a readable \.npz file"):
        read_npz(tmp_path / "a.npz")


def test_a_header_that_does_not_end_is_refused(tmp_path):
    text = b"{'shape': (\n"
    member = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text
    with pytest.raises(ValueError, match=r"is not a readable \.npz file"):
        read_npz(archive(tmp_path / "a.npz", {"a.npy": member}))


def test_a_single_array_is_refused(tmp_path):
    with (tmp_path / "a.npz").open("wb") as stream:
        np.save(stream, np.arange(3))
    with pytest.raises(ValueError, match=r"is not a readable \.npz file"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("array", [np.array(3), np.array([3], np.uint8), np.array([[3]])])
def test_one_whole_number_is_taken_out_of_its_array(array):
    assert whole(array) == 3


@pytest.mark.parametrize("value", [np.inf, np.nan, 3.0, 3j, "3", [3, 3], []])
def test_what_is_not_one_whole_number_is_refused(value):
    with pytest.raises(ValueError):
        whole(np.array(value))
