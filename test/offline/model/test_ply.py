import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloc_ros.offline.model.ply import read_ply, write_vertices

HEADER = """ply
format {format} 1.0
comment made by hand
obj_info of no use
element vertex 3
property double x
property float y
property uchar red
element face 3
property list uchar int vertex_indices
property short part
element edge 0
property int vertex1
end_header
"""
ROWS = [(1.5, 0.25, 7), (-2.0, 1e10, 255), (4_649_876.125, -0.5, 0)]
FACES = [([0, 1, 2], 4), ([2, 1, 0, 1], -5), ([], 6)]
FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def by_hand(format: str, faces=FACES, newline: str = "\n") -> bytes:
    """The file as the format's description has it."""
    header = HEADER.format(format=format).replace("\n", newline).encode()
    if format == "ascii":
        lines = [" ".join(map(repr, row)) for row in ROWS]
        lines += [" ".join(map(str, [len(indices), *indices, part])) for indices, part in faces]
        return header + newline.join(lines).encode() + newline.encode()
    order = FORMATS[format]
    body = b"".join(struct.pack(order + "dfB", *row) for row in ROWS)
    for indices, part in faces:
        body += struct.pack(f"{order}B{len(indices)}ih", len(indices), *indices, part)
    return header + body


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_with_lists_of_mixed_length(tmp_path, format, newline):
    (tmp_path / "a.ply").write_bytes(by_hand(format, newline=newline))
    read = read_ply(tmp_path / "a.ply")
    assert list(read) == ["vertex", "face", "edge"]
    for name, column in zip(("x", "y", "red"), np.array(ROWS).T, strict=True):
        np.testing.assert_allclose(read["vertex"][name], column, rtol=1e-7)
    kinds = {name: column.dtype for name, column in read["vertex"].items()}
    assert kinds == {"x": np.float64, "y": np.float32, "red": np.uint8}
    assert [indices.tolist() for indices in read["face"]["vertex_indices"]] == [face for face, _ in FACES]
    assert read["face"]["part"].tolist() == [4, -5, 6]
    assert len(read["edge"]["vertex1"]) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_lists_of_one_length_are_a_table(tmp_path, format):
    faces = [([0, 1, 2], 1), ([2, 1, 0], 2), ([1, 1, 1], 3)]
    (tmp_path / "a.ply").write_bytes(by_hand(format, faces))
    found = read_ply(tmp_path / "a.ply")["face"]["vertex_indices"]
    assert found.shape == (3, 3) and found.tolist() == [face for face, _ in faces]


def test_what_is_written_is_read_again_bit_for_bit(tmp_path):
    rows = np.zeros(5, dtype=[("x", ">f8"), ("y", "<f4"), ("red", "u1"), ("id", "<i4")])
    for name in rows.dtype.names:
        rows[name] = np.random.default_rng(0).normal(0, 100, 5).astype(np.int32) % 200
    write_vertices(tmp_path / "a.ply", rows, ["one", "two"])
    assert (
        (tmp_path / "a.ply").read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\ncomment one\n")
    )
    for name, column in read_ply(tmp_path / "a.ply")["vertex"].items():
        np.testing.assert_array_equal(column, rows[name])


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_ends_early_is_refused_wherever_it_ends(tmp_path, format):
    whole = by_hand(format).rstrip(b"\n") if format == "ascii" else by_hand(format)
    last_word = 2 if format == "ascii" else 1  # a text may lose a part of its last number unseen
    for end in range(0, len(whole) - last_word + 1, 7):
        (tmp_path / "a.ply").write_bytes(whole[:end])
        with pytest.raises(ValueError):
            read_ply(tmp_path / "a.ply")


@settings(max_examples=150)
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_damage_of_any_kind_is_a_value_error_or_other_numbers(tmp_path_factory, format, place, change):
    whole = by_hand(format)
    place %= len(whole)
    path = tmp_path_factory.mktemp("ply") / "a.ply"
    path.write_bytes(whole[:place] + change + whole[place + len(change) :])
    try:
        read_ply(path)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 200


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("element", "body"),
    [
        ("element vertex 4000000000\nproperty double x", b"1 2 3"),
        ("element face 4000000000\nproperty list uint double of", b"1 2 3"),
        ("element face 1\nproperty list uint double of", b"\xff\xff\xff\xff"),
        ("element face 1\nproperty list uint double of", b"4294967295"),
    ],
)
def test_no_memory_is_taken_for_what_is_only_announced(tmp_path, format, element, body):
    header = f"ply\nformat {format} 1.0\n{element}\nend_header\n"
    (tmp_path / "a.ply").write_bytes(header.encode() + body)
    tracemalloc.start()
    with pytest.raises(ValueError):
        read_ply(tmp_path / "a.ply")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with the header"),
        ("plywood\nend_header\n", "does not begin with the header"),
        ("ply\nformat ascii 1.0\n", "does not begin with the header"),
        ("ply\nformat ascii 2.0\nend_header\n", "line 'format ascii 2.0', which says nothing known"),
        ("ply\nelement vertex 1\nend_header\n", "tells no format"),
        ("ply\nformat ascii 1.0\nelement vertex -1\nend_header\n", "line 'element vertex -1'"),
        ("ply\nformat ascii 1.0\nelement v 1\nproperty quad x\nend_header\n1\n", "'property quad x'"),
        ("ply\nformat ascii 1.0\nproperty int x\nend_header\n1\n", "'property int x'"),
        ("ply\nformat ascii 1.0\nelement v 2\nproperty int x\nend_header\n1\n", "announces 2 of 'v'"),
        (
            "ply\nformat ascii 1.0\nelement v 1\nproperty uchar x\nend_header\n300\n",
            "'x' holds what is no uchar",
        ),
        ("ply\nformat ascii 1.0\nelement v 1\nproperty int x\nend_header\nnan\n", "'x' holds what is no int"),
        ("ply\nformat ascii 1.0\nelement v 1\nproperty int x\nend_header\none\n", "one"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
    (tmp_path / "a.ply").write_text(text)
    with pytest.raises(ValueError) as refused:
        read_ply(tmp_path / "a.ply")
    assert words in str(refused.value) and "\n" not in str(refused.value)
