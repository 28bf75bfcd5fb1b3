"""Data as nobody should write it: good data with a few things made odd."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from hypothesis import strategies as st

WORDS = (
    *(
        "",
        "0",
        "-1",
        "1.5",
        "-0.0",
        "nan",
        "-inf",
        "1e999",
        "1e-320",
        "9" * 25,
        "9" * 5000,
        "0x1F",
        "1_0",
        "1:30",
    ),
    *(
        "\u00b2",
        "\u0663",
        "\ufeff",
        "\x00",
        "\U0001f916",
        "a b",
        "../..",
        "/",
        "x" * 300,
        "%s{}",
        "#",
        ",",
        ";",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        "- ",
        "&a",
        "*a",
        "!!x",
        "<<",
        "|",
        "null",
        "true",
        "~",
        "2024-13-45",
        '"',
        "'",
        "\\",
    ),
)
"""Instead of words and numbers of a text."""
VALUES = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**70,
        10**400,
        0.5,
        -1.5,
        1e308,
        1e-320,
        float("nan"),
        float("inf"),
    ),
    *("", "x", "../..", "1", "\x00", "\U0001f916", [], [1], [None], [[1, 2, 3]], {}, {"a": 1}, {"": []}),
)
"""Instead of values of a JSON file."""
NUMBERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
"""In place of some bytes of a file."""


@st.composite
def odd_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """Cut, longer, with parts of it elsewhere or replaced, or any bytes at all."""
    way = draw(st.sampled_from(["cut", "longer", "bytes", "bytes", "number", "number", "moved", "any"]))
    at = draw(
        st.integers(0, min(len(good), 300)) | st.integers(0, len(good))
    )  # lengths and names are in front
    if way == "any":
        return good[:at] + draw(st.binary(max_size=100))
    if way == "cut":
        return good[:at]
    if way == "longer":
        return good + draw(st.binary(min_size=1, max_size=100))
    if way == "moved":
        size, to = draw(st.integers(1, 200)), draw(st.integers(0, len(good)))
        return good[:to] + good[at : at + size] + good[to:]
    if way == "number":
        size, order = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from(["little", "big"]))
        number = (draw(st.sampled_from(NUMBERS)) % 256**size).to_bytes(size, order)
        return good[:at] + number + good[at + size :]
    spoilt = bytearray(good)
    for _ in range(draw(st.integers(1, 4)) if good else 0):
        spoilt[draw(st.integers(0, min(len(good), 300) - 1) | st.integers(0, len(good) - 1))] = draw(
            st.integers(0, 255)
        )
    return bytes(spoilt)


@st.composite
def odd_text(draw: st.DrawFn, good: str) -> bytes:
    """With some words replaced or gone, lines twice, gone or joined, or its bytes spoilt."""
    for _ in range(draw(st.sampled_from([1, 1, 2, 4]))):
        way = draw(st.sampled_from(["word", "word", "word", "line twice", "line gone", "joined"]))
        if way == "word":
            pieces = re.split(r"([\w.+-]+)", good)  # every second one is a word
            if len(pieces) > 1:
                pieces[2 * draw(st.integers(0, len(pieces) // 2 - 1)) + 1] = draw(_word)
            good = "".join(pieces)
            continue
        lines = good.splitlines(keepends=True)
        if lines:
            at = draw(st.integers(0, len(lines) - 1))
            lines[at] = {"line twice": 2 * lines[at], "line gone": "", "joined": lines[at].rstrip("\n")}[way]
        good = "".join(lines)
    data = good.encode("utf-8", errors="replace")
    return data if draw(st.integers(0, 4)) else draw(odd_bytes(data))


_word = st.sampled_from(WORDS) | st.floats().map(repr) | st.integers().map(str) | st.text(max_size=10)


_value = st.sampled_from(VALUES) | st.floats() | st.integers() | st.text(max_size=10)


@st.composite
def odd_json(draw: st.DrawFn, good: Any) -> bytes:
    """With some values replaced, gone, or under another name, or its text spoilt."""
    root = [copy.deepcopy(good)]
    for _ in range(draw(st.sampled_from([1, 1, 2, 4]))):
        owner, key = root, 0
        while isinstance(owner[key], (dict, list)) and owner[key] and draw(st.integers(0, 5)):
            owner = owner[key]
            key = draw(st.sampled_from(list(owner) if isinstance(owner, dict) else range(len(owner))))
        way = draw(st.sampled_from(["value", "value", "value", "gone", "renamed", "twice"]))
        if way == "value" or owner is root:
            owner[key] = copy.deepcopy(draw(_value))
        elif way == "gone":
            del owner[key]
        elif isinstance(owner, list):
            owner.insert(key, copy.deepcopy(owner[key]))
        else:
            owner[draw(st.text(max_size=10))] = copy.deepcopy(owner[key])
    data = json.dumps(root[0]).encode()
    return data if draw(st.integers(0, 9)) else draw(odd_bytes(data))
