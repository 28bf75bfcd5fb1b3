"""How the last seconds went: rate, latency, age and share of lost images."""

from __future__ import annotations

import collections
import dataclasses
import threading

import numpy as np


@dataclasses.dataclass(frozen=True)
class HealthSummary:
    """Of the images that were looked at within the window; numbers are NaN where there were none."""

    images: int
    rate_hz: float
    """Images looked at a second."""
    latency_p50_s: float
    latency_p99_s: float
    """From the start of work on an image to its result."""
    age_p50_s: float
    """From an image's stamp to its result."""
    lost_share: float
    """Of the images that gave no pose, 0 to 1."""


class Health:
    """Add every image; times are arguments. May be used from several threads."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        self._lock = threading.Lock()
        self._images: collections.deque[tuple[float, float, float, bool]] = collections.deque()
        self._since_s: float | None = None

    def restart(self, now_s: float) -> None:
        """Forget what was; counting begins now."""
        with self._lock:
            self._images.clear()
            self._since_s = now_s

    def add(self, now_s: float, *, latency_s: float, age_s: float, found: bool) -> None:
        with self._lock:
            self._images.append((now_s, latency_s, age_s, found))
            self._forget(now_s)

    def summary(self, now_s: float) -> HealthSummary:
        with self._lock:
            self._forget(now_s)
            images = np.array(self._images, dtype=float).reshape(-1, 4)
            since_s = now_s - self._window_s if self._since_s is None else self._since_s
        window_s = min(self._window_s, max(now_s - since_s, 1e-3))
        if len(images) == 0:
            return HealthSummary(0, 0.0, *[float("nan")] * 4)
        _, latencies_s, ages_s, found = images.T
        return HealthSummary(
            len(images),
            len(images) / window_s,
            float(np.percentile(latencies_s, 50)),
            float(np.percentile(latencies_s, 99)),
            float(np.percentile(ages_s, 50)),
            float(1 - found.mean()),
        )

    def _forget(self, now_s: float) -> None:
        while self._images and self._images[0][0] < now_s - self._window_s:
            self._images.popleft()
