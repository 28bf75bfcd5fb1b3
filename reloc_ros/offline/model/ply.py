"""PLY files, clouds and meshes alike: read in text and in both binary orders, written as binary little-endian."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any] | list[NDArray[Any]]
"""A property of N rows: (N,); a list property (N, L) where all lists are of one length, else N arrays (L,)."""

_KINDS = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_NAMES = {kind: name for name, kind in reversed(_KINDS.items())}
_DOUBLE = np.dtype("f8")
_NATIVE = "<" if sys.byteorder == "little" else ">"
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class _Property:
    name: str
    kind: np.dtype[Any]
    length_kind: np.dtype[Any] | None
    """Of a list's length, which is before its values; None for a single value."""

    @property
    def least_bytes(self) -> int:
        return (self.kind if self.length_kind is None else self.length_kind).itemsize

    def as_word(self) -> _Property:
        """The same in a text."""
        return _Property(self.name, _DOUBLE, None if self.length_kind is None else _DOUBLE)


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: list[_Property]


def read_ply(path: Path) -> dict[str, dict[str, Column]]:
    """The columns of each element (`vertex`, `face`, ...) by the names of its properties.

    Raises:
        OSError: there is no such file.
        ValueError: it is no PLY file, or ends before what it announces; what is wrong, without the path.
    """
    order, elements, body = _read_header(path.read_bytes())
    is_text = not order
    if is_text:  # its words are read as if they were binary numbers, all of one kind
        order, body = _NATIVE, np.fromiter(map(float, body.split()), np.float64).tobytes()
    found, at = {}, 0
    for element in elements:
        properties = [p.as_word() for p in element.properties]
        stored = _Element(element.name, element.count, properties) if is_text else element
        columns, at = _read_rows(stored, order, body, at)
        found[element.name] = {
            told.name: _cast(column, told) for told, column in zip(element.properties, columns, strict=True)
        }
    return found


def write_vertices(file: Path, vertices: NDArray[Any], comments: Sequence[str] = ()) -> None:
    """Write the element `vertex` from a structured array (N,); the caller makes that atomic."""
    kinds = {name: kind for name, (kind, *_) in (vertices.dtype.fields or {}).items()}
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {comment}" for comment in comments)]
    lines += [f"element vertex {len(vertices)}"]
    lines += [f"property {_NAMES[kind.str[1:]]} {name}" for name, kind in kinds.items()]
    header = "\n".join([*lines, "end_header\n"]).encode("ascii")
    packed = vertices.astype([(name, kind.newbyteorder("<")) for name, kind in kinds.items()])
    file.write_bytes(header + packed.tobytes())


def _read_header(data: bytes) -> tuple[str, list[_Element], bytes]:
    """The byte order, empty for text, the elements, and what follows."""
    start, _, _ = data[:8].replace(b"\r", b"\n").partition(b"\n")
    head, end, body = data.partition(b"end_header")
    if start.strip() != b"ply" or not end:
        raise ValueError("it does not begin with the header of a PLY file")
    body = body.lstrip(b" ")
    body = body[2:] if body[:2] == b"\r\n" else body[1:]
    order, elements = None, []
    for line in head.decode("latin-1").splitlines()[1:]:
        words = line.split()
        match words:
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, "1.0"] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count), []))
            case ["property", "list", length, kind, name] if elements and {length, kind} <= _KINDS.keys():
                elements[-1].properties.append(
                    _Property(name, np.dtype(_KINDS[kind]), np.dtype(_KINDS[length]))
                )
            case ["property", kind, name] if elements and kind in _KINDS:
                elements[-1].properties.append(_Property(name, np.dtype(_KINDS[kind]), None))
            case _:
                raise ValueError(f"its header has the line '{line.strip()[:80]}', which says nothing known")
    if order is None:
        raise ValueError("its header tells no format of version 1.0")
    return order, elements, body


def _read_rows(element: _Element, order: str, body: bytes, at: int) -> tuple[list[Column], int]:
    """The columns of an element whose rows begin at a byte, and where they end."""
    properties, count = element.properties, element.count
    if at + count * sum(p.least_bytes for p in properties) > len(body):
        raise ValueError(f"it announces {count} of '{element.name}' and ends before")
    if not count or not properties:
        return [np.zeros(0, p.kind) for p in properties], at
    first, _ = _read_row(element, order, body, at)
    row = np.dtype([field for i, p in enumerate(properties) for field in _fields(p, i, order, first[i])])
    end = at + count * row.itemsize
    lists = [i for i, p in enumerate(properties) if p.length_kind is not None]
    if end <= len(body):  # as if all lists were as long as those of the first row, which is the rule
        table = np.frombuffer(body, row, count, at)
        if all((table[f"length {i}"] == len(first[i])).all() for i in lists):
            return [table[f"{i}"] for i in range(len(properties))], end
    rows = []
    for _ in range(count):
        values, at = _read_row(element, order, body, at)
        rows.append(values)
    columns = enumerate(zip(*rows, strict=True))
    return [list(column) if i in lists else np.array(column) for i, column in columns], at


def _fields(told: _Property, number: int, order: str, value: Any) -> list[tuple[Any, ...]]:
    """Of a row in which a property has a value of this length."""
    field = (f"{number}", told.kind.newbyteorder(order), np.shape(value))
    if told.length_kind is None:
        return [field]
    return [(f"length {number}", told.length_kind.newbyteorder(order)), field]


def _read_row(element: _Element, order: str, body: bytes, at: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    for told in element.properties:
        if at + told.least_bytes > len(body):
            raise ValueError(f"it ends within its '{element.name}'")
        if told.length_kind is None:
            values.append(struct.unpack_from(order + told.kind.char, body, at)[0])
            at += told.kind.itemsize
            continue
        (length,) = struct.unpack_from(order + told.length_kind.char, body, at)
        at += told.length_kind.itemsize
        if not (0 <= length <= (len(body) - at) // told.kind.itemsize and length == int(length)):
            raise ValueError(
                f"a list of its '{element.name}' has the length {length:g}, and the file ends before"
            )
        values.append(np.frombuffer(body, told.kind.newbyteorder(order), int(length), at))
        at += int(length) * told.kind.itemsize
    return values, at


def _cast(column: Column, told: _Property) -> Column:
    """In the kind that was told and in this machine's order."""
    if isinstance(column, list):
        return [_cast(each, told) for each in column]
    with np.errstate(invalid="ignore", over="ignore"):
        cast = column.astype(told.kind)
    if told.kind.kind in "iu" and not (cast == column).all():
        raise ValueError(f"its property '{told.name}' holds what is no {_NAMES[told.kind.str[1:]]}")
    return cast
