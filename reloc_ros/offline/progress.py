"""How a long step tells its caller how far it is; the caller draws the bar."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as progress(phase, done, total), the phase being a word or two for a person ("extract features")."""


def silent(phase: str, done: int, total: int) -> None:
    """The progress callback of a caller who does not care."""
