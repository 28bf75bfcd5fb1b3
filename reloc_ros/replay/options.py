"""How a bag is to be played."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from reloc_ros.errors import RelocError


@dataclasses.dataclass(frozen=True)
class ReplayOptions:
    """How to play."""

    rate: float = 1.0
    """Seconds of the bag a second."""
    loop: bool = False
    start_s: float = 0.0
    """From the start of the bag."""
    topics: tuple[str, ...] = ()
    """Only these; empty: all."""
    remap: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Recorded name to played name."""
    clock_hz: float = 100.0
    """Rate of /clock; 0: none."""
    wait_s: float = 10.0
    """Longest wait for somebody who listens, before the first message."""
    wait_for: str = ""
    """The node that must be among them, by its full name; empty: anybody."""

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1000:
            raise RelocError(f"rate must be above 0 and at most 1000, got {self.rate}")
        for name, limit in (("start_s", 1e9), ("clock_hz", 10_000), ("wait_s", 3600)):
            if not 0 <= getattr(self, name) <= limit:
                raise RelocError(f"{name} must be from 0 to {limit:g}, got {getattr(self, name)}")
