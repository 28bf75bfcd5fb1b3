"""At most so many images a second."""

from __future__ import annotations


class RateLimit:
    """Admits items so that their rate keeps to a limit on average; times are arguments."""

    def __init__(self, max_rate_hz: float = 0.0) -> None:
        self.max_rate_hz = max_rate_hz
        """0: no limit. May be changed at any time."""
        self._due_s = float("-inf")

    def admits(self, now_s: float) -> bool:
        """Whether an item that arrives now is to be looked at; times never go back."""
        if self.max_rate_hz <= 0:
            return True
        if now_s < self._due_s:
            return False
        # From the time that it was due, not the time that it came: else 30 Hz limited to 20 would give 15.
        # Who was idle catches up by one item at most.
        period_s = 1 / self.max_rate_hz
        self._due_s = max(self._due_s, now_s - period_s) + period_s
        return True
