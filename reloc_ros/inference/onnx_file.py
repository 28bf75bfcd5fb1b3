"""Whether an ONNX file is all there is of its network.

A tensor of ONNX may be in another file, anywhere, of which no manifest tells a hash; ours never are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reloc_ros.errors import RelocError

# Where tensors are within the messages of onnx.proto3: by a message's kind, the fields to go into and their kinds.
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {13: "elsewhere"},
}
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
"""How protobuf writes a value."""


def self_contained(path: Path) -> Path:
    """The path of an ONNX file, once it is known to refer to no other file.

    Raises:
        RelocError: it does, or is no ONNX file.
    """
    try:
        elsewhere = _refers_elsewhere(path.read_bytes())
    except (OSError, ValueError, IndexError) as error:
        raise RelocError(
            f"{path} could not start: it is no whole ONNX model; export the bundle again"
        ) from error
    if elsewhere:
        raise RelocError(
            f"{path} keeps weights in another file, for which no hash vouches; export it with all of them inside"
        )
    return path


def _refers_elsewhere(model: bytes) -> bool:
    waiting = [("model", memoryview(model))]
    while waiting:
        kind, message = waiting.pop()
        if kind == "elsewhere":
            return True
        inside = _FIELDS[kind]
        waiting += [(inside[number], value) for number, value in _values(message) if number in inside]
    return False


def _values(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of the fields that have bytes (protobuf's encoding)."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        form = tag & 7
        if form == _BYTES:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        elif form == _VARINT:
            _, at = _varint(message, at)
        elif form in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if form == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of form {form}")
    if at > len(message):
        raise ValueError("a field ends after its message")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, seven bits to a byte, and where it ends."""
    value = shift = 0
    while shift < 64:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")
