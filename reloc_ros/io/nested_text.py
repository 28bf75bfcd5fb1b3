"""JSON and yaml from anyone: what has no end, or stands for more than it is long, is refused as damage is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

TOO_LARGE = 2.0**63
"""For the whole numbers of numpy."""
MOST_LEVELS = 50
MOST_VALUES = 100_000
"""Of a yaml file, all its aliases written out."""


def read_json(path: Path, encoding: str = "utf-8", **options: Any) -> Any:
    """What a file says, as `json.loads` has it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON.
    """
    return parse_json(path.read_text(encoding=encoding), **options)


def parse_json(text: str, **options: Any) -> Any:
    """What a text says, as `json.loads` has it; ValueError where it is not JSON, or a number in it is too large.

    NaN is taken: whoever looks for finite numbers can say where it stands.
    """
    try:
        return json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_number, **options)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _whole(text: str) -> int:
    _number(text)
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if abs(number) >= TOO_LARGE:
        raise ValueError(f"its number {text[:20]} is too large")
    return number


def parse_yaml(data: bytes) -> list[Any]:
    """All documents of a yaml file, of plain values alone; ValueError where it is none."""
    try:
        _check_extent(data)
        return list(yaml.safe_load_all(data))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _check_extent(data: bytes) -> None:
    """Before anything is built: an alias takes two characters, and stands for as much as it likes."""
    values = 0
    begun: list[tuple[str | None, int]] = []
    extents: dict[str | None, int] = {}
    for event in yaml.parse(data, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in extents:
                raise ValueError(f"its alias *{event.anchor} stands for nothing that ended before")
            values += extents[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            begun.append((event.anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            extents[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            extents[event.anchor] = 1
        if len(begun) > MOST_LEVELS:
            raise ValueError(f"it is nested more than {MOST_LEVELS} levels deep")
        if values > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES} values")
