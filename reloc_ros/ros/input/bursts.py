"""Whether images come one by one, as a camera takes them, or several at once after a while without any."""

from __future__ import annotations

from collections import deque

LOOKED_AT = 200
TOO_MANY = 0.2
"""Of the images looked at, that came right behind another."""
RIGHT_BEHIND = 0.25
"""Of the time between their stamps."""


class Bursts:
    """Of one camera's images."""

    def __init__(self) -> None:
        self._behind: deque[bool] = deque(maxlen=LOOKED_AT)
        self._last: tuple[float, float] | None = None
        self._told = False

    def add(self, arrived_s: float, stamp_s: float) -> bool:
        """Note an image; whether it shows, for the first time, that too many come in bursts."""
        last, self._last = self._last, (arrived_s, stamp_s)
        if last is None or stamp_s <= last[1]:
            return False
        self._behind.append(arrived_s - last[0] < RIGHT_BEHIND * (stamp_s - last[1]))
        if self._told or len(self._behind) < LOOKED_AT:
            return False
        self._told = sum(self._behind) > TOO_MANY * LOOKED_AT
        return self._told
