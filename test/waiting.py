"""Wait for what other threads and processes bring about."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object]) -> bool:
    """Whether it comes to be so; the graph, for one, is told of changes by a thread of its own."""
    end_s = time.monotonic() + 30.0
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.005)
    return bool(condition())
