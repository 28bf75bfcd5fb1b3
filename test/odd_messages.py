"""Messages as nobody should send them: single fields of good ones made odd, and bytes that are none."""

from __future__ import annotations

import array
import functools
import re
from typing import Any

from hypothesis import strategies as st
from node_process import FRAME
from rclpy.serialization import serialize_message

NAMES = (
    "",
    "/",
    FRAME,
    f"/{FRAME}",
    "map",
    "odom",
    "base_link",
    "a b",
    "\n",
    "\U0001f916",
    "x" * 300,
    "../..",
    "%s{}",
)
WORDS = (
    "mono8",
    "bgr8",
    "rgba16",
    "16UC1",
    "nv12",
    "yuyv",
    "bayer_rggb8",
    "32FC1",
    "jpeg",
    "png",
    "bgr8; jpeg",
)
WORDS += ("plumb_bob", "rational_polynomial", "equidistant", "h264", "compressedDepth", *NAMES)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, 1e9, float("nan"), float("inf"), -float("inf"))
_BITS = re.compile(r"(u?)int(\d+)")


def _number(kind: str) -> st.SearchStrategy:
    if kind in ("double", "float"):
        width = 64 if kind == "double" else 32
        return st.sampled_from(NUMBERS).filter(
            lambda x: width == 64 or not 1e38 < abs(x) < float("inf")
        ) | st.floats(width=width)
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        return st.sampled_from(WORDS) | st.text(
            st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=20
        )
    unsigned, bits = _BITS.fullmatch(kind).groups()
    low, high = (0, 2 ** int(bits) - 1) if unsigned else (-(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1)
    return st.sampled_from([low, high, 0, 1, 2, 7, 100]) | st.integers(low, high)


@st.composite
def _leaf(draw: st.DrawFn, kind: str, old: Any) -> Any:
    if (fixed := re.fullmatch(r"(\w+)\[(\d+)\]", kind)) is not None:
        value, row = old.tolist(), draw(st.integers(0, int(fixed[2]) - 1))
        odd = draw(_number(fixed[1]))
        return [odd] * len(value) if draw(st.booleans()) else [*value[:row], odd, *value[row + 1 :]]
    if (sequence := re.fullmatch(r"sequence<(\w+)>", kind)) is not None:
        if sequence[1] != "uint8":
            return draw(st.lists(_number(sequence[1]), max_size=20))
        return array.array("B", draw(_spoilt(old.tobytes())))
    return draw(_number(kind))


@st.composite
def _spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """Cut, doubled, with a few bytes replaced, or any bytes at all."""
    way = draw(st.sampled_from(["cut", "longer", "replaced", "any"]))
    if way == "any" or not good:
        return draw(st.binary(max_size=300))
    if way == "cut":
        return good[: draw(st.integers(0, len(good) - 1))]
    if way == "longer":
        return good + draw(st.binary(min_size=1, max_size=300))
    spoilt = bytearray(good)
    begin = min(len(good), 200)  # where headers, lengths and names are
    for _ in range(draw(st.integers(1, 4))):
        spoilt[draw(st.integers(0, begin - 1) | st.integers(0, len(good) - 1))] = draw(st.integers(0, 255))
    return bytes(spoilt)


def _leaves(message: Any, path: tuple = ()) -> list[tuple[tuple, str]]:
    found = []
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            found += _leaves(value, (*path, name))
        elif "/" in kind:
            for row, each in enumerate(value):
                found += _leaves(each, (*path, name, row))
        else:
            found.append(((*path, name), kind))
    return found


@st.composite
def odd(draw: st.DrawFn, good: Any) -> Any:
    """`good`, which is changed, with some fields odd; or bytes that are like it, or like nothing."""
    leaves = _leaves(good)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 5])) if leaves else 0):
        (*way, name), kind = draw(st.sampled_from(leaves))
        owner = functools.reduce(
            lambda at, step: at[step] if isinstance(step, int) else getattr(at, step), way, good
        )
        setattr(owner, name, draw(_leaf(kind, getattr(owner, name))))
    if draw(st.integers(0, 4)):
        return good
    return draw(_spoilt(serialize_message(good)))
