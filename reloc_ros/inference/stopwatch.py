"""How long the stages of a localization take."""

from __future__ import annotations

import time


class Stopwatch:
    """Times of consecutive stages; those of a stage that comes again are added."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + 1e3 * (now - self._last)
        self._last = now

    def times_ms(self) -> dict[str, float]:
        return {**self._laps, "total": 1e3 * (time.perf_counter() - self._start)}
