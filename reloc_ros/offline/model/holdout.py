"""Which images are held out of the map, to be judged by later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reloc_ros.errors import RelocError

FORMS = "every:K:R, last:N, list:FILE or none"


@dataclass(frozen=True)
class Holdout:
    """A rule that picks images by their place in name order, or by name."""

    spec: str
    """As the user wrote it."""
    every: int = 0
    """Image number i in name order is held out when i % every == remainder; 0 when not used."""
    remainder: int = 0
    last: int = 0
    """The number of images held out at the end of the name order; 0 when not used."""
    listed: frozenset[str] = frozenset()
    """Image names held out one by one."""

    def is_held_out(self, names: Sequence[str]) -> np.ndarray:
        """Say for each of ALL the images' names whether it is held out: (N,) bool, in the order given.

        Places are counted in name order, whatever the order given.
        """
        place = np.empty(len(names), dtype=np.int64)
        place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        held_out = np.zeros(len(names), dtype=bool)
        if self.every:
            held_out = place % self.every == self.remainder
        elif self.last:
            held_out = place >= len(names) - self.last
        elif self.listed:
            self._refuse_unknown(names)
            held_out = np.array([name in self.listed for name in names], dtype=bool)
        if len(names) and held_out.all():
            raise RelocError(
                f"hold-out '{self.spec}' holds out all {len(names)} images and leaves none for the map"
            )
        return held_out

    def _refuse_unknown(self, names: Sequence[str]) -> None:
        unknown = sorted(self.listed - set(names))
        if unknown:
            raise RelocError(
                f"hold-out '{self.spec}' names {len(unknown)} images that are not there, "
                f"the first is '{unknown[0]}'"
            )


def parse_holdout(spec: str) -> Holdout:
    """Read a hold-out rule.

    One of `every:K:R` (i % K == R in name order), `last:N`, `list:FILE` (a name a line) and `none`.
    """
    kind, *arguments = spec.split(":", 1)
    argument = arguments[0] if arguments else None
    if kind == "none" and argument is None:
        return Holdout(spec)
    if kind == "every" and argument:
        return _parse_every(spec, argument.split(":"))
    if kind == "last" and argument:
        count = _whole_number(spec, argument)
        if count < 1:
            raise RelocError(f"hold-out '{spec}': the number of images must be at least 1")
        return Holdout(spec, last=count)
    if kind == "list" and argument:
        return Holdout(spec, listed=_read_list(spec, Path(argument)))
    raise RelocError(f"hold-out '{spec}' is not one of {FORMS}")


def _parse_every(spec: str, numbers: list[str]) -> Holdout:
    if len(numbers) != 2:
        raise RelocError(f"hold-out '{spec}' needs two numbers, as in every:5:2")
    every, remainder = (_whole_number(spec, number) for number in numbers)
    if every < 2 or not 0 <= remainder < every:
        raise RelocError(f"hold-out '{spec}': every:K:R needs K of at least 2 and R from 0 to K-1")
    return Holdout(spec, every=every, remainder=remainder)


def _whole_number(spec: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RelocError(f"hold-out '{spec}': '{text}' is not a whole number")
    return int(text)


def _read_list(spec: str, file: Path) -> frozenset[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RelocError(f"hold-out '{spec}': cannot read '{file}' as a text file ({error})") from error
    names = frozenset(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not names:
        raise RelocError(f"hold-out '{spec}': '{file}' names no image")
    return names
