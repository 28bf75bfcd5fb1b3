"""Tracking, degraded or lost: what a stream of single-image results is worth, with hysteresis.

One image cannot tell a right pose from a confident wrong one; its neighbours can. So a pose counts only where
it can be reached from the poses before it at a plausible speed, and being lost ends only after several poses
that agree with each other. No clock is read here: every time is an argument.
"""

from __future__ import annotations

import collections
import dataclasses
import enum

import numpy as np

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, center_error, rotation_error_deg


class State(enum.IntEnum):
    """What the stream is worth now; the numbers are those of RelocStatus.msg."""

    LOST = 0
    """No poses; it takes `tracking_after` consistent ones in a row to leave."""
    DEGRADED = 1
    """Tracking, but the newest images gave no pose that counts."""
    TRACKING = 2
    """The newest image gave a pose that counts."""


@dataclasses.dataclass(frozen=True)
class StatusConfig:
    """When to believe and when to give up; lengths are in the map's unit."""

    tracking_after: int = 2
    """Localized images in a row, mutually consistent, that end being lost."""
    lost_after: int = 3
    """Images in a row without a pose that counts, until lost."""
    silence_timeout_s: float = 1.0
    """Time without any image, until lost; a longer step of the stamps alone lets the camera move no farther."""
    max_speed: float = 3.0
    """Fastest plausible motion of the camera, map units per second."""
    max_turn_rate: float = 4.0
    """Fastest plausible turning of the camera, radians per second."""
    position_slack: float = 0.1
    """Map units by which two poses of a camera at rest may differ."""
    rotation_slack: float = 0.1
    """Radians by which two poses of a camera at rest may differ."""

    def __post_init__(self) -> None:
        for name in ("tracking_after", "lost_after"):
            if getattr(self, name) < 1:
                raise RelocError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("silence_timeout_s", "max_speed", "max_turn_rate", "position_slack", "rotation_slack"):
            if not getattr(self, name) > 0:
                raise RelocError(f"{name} must be above 0, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What to say and do after one image, or after silence."""

    state: State
    publish: bool
    """Whether this image's pose may be published."""
    reason: str
    """Why not, as a word; empty when it may."""
    detail: str
    """The same as a sentence."""
    jumped: bool = False
    """The poses may go on somewhere else: what was derived from the ones before must not be carried over."""


_ARRIVALS = 2
"""Consistent poses in a row, at least, that are believed far from where the camera was tracked."""


@dataclasses.dataclass(frozen=True)
class StampedPose:
    """A pose, and when its image was taken."""

    camera_from_map: SE3
    stamp_s: float
    steady_s: float = 0.0
    """When it was found, by a clock that is never set."""


class StatusMachine:
    """Feed it every result in order; it starts lost."""

    def __init__(self, config: StatusConfig | None = None) -> None:
        self.state = State.LOST
        self._failures = 0
        self._last_good: StampedPose | None = None
        self._last_arrival_s: float | None = None
        self._silent = False
        # The newest localized images in a row that are consistent with each other, believed or not.
        self._chain: collections.deque[StampedPose] = collections.deque()
        self.config = config or StatusConfig()

    @property
    def config(self) -> StatusConfig:
        """May be replaced at any time."""
        return self._config

    @config.setter
    def config(self, config: StatusConfig) -> None:
        self._config = config
        self._chain = collections.deque(self._chain, maxlen=max(config.tracking_after, _ARRIVALS))

    @property
    def last_good(self) -> StampedPose | None:
        """The last pose that counted; None while lost."""
        return self._last_good

    def forget(self) -> None:
        """Start over as if no image had been localized yet; for a request, or with another map."""
        self._become_lost()
        self._chain.clear()

    def arrived(self, now_s: float) -> None:
        """An image came in, whatever will come of it."""
        self._last_arrival_s, self._silent = now_s, False

    def localized(self, camera_from_map: SE3, stamp_s: float, steady_s: float = 0.0) -> Verdict:
        """An image taken at `stamp_s` gave a pose, now by a clock that is never set; a recording needs none."""
        pose = StampedPose(camera_from_map, stamp_s, steady_s)
        if not all(self._plausible(earlier, pose) for earlier in self._chain):
            self._chain.clear()
        self._chain.append(pose)
        if self._last_good is None:  # lost
            if len(self._chain) >= self.config.tracking_after:
                return dataclasses.replace(self._believe(pose), jumped=True)
            detail = f"{len(self._chain)} of {self.config.tracking_after} consistent poses in a row"
            return Verdict(State.LOST, False, "confirming", detail)
        if self._plausible(self._last_good, pose):
            return self._believe(pose)
        # A camera that was carried away, or a recording that started over: the same evidence that ends being lost,
        # but never one pose alone.
        if len(self._chain) == self._chain.maxlen:
            return dataclasses.replace(self._believe(pose), jumped=True)
        behind_s = self._last_good.stamp_s - pose.stamp_s
        if behind_s >= 0:
            return self._fail(
                "stamp_not_newer", f"the image's stamp is {behind_s:.3f} s before the last pose's"
            )
        return self._fail(
            "implausible_motion", "the camera cannot have come here from its last pose in that time"
        )

    def lost(self, reason: str, detail: str) -> Verdict:
        """An image gave no pose."""
        self._chain.clear()
        return self._fail(reason, detail)

    def undecided(self, reason: str, detail: str) -> Verdict:
        """An image gave no pose, and it, or one soon after, will be looked at once more: there is none until then."""
        self.state = min(self.state, State.DEGRADED)
        return Verdict(self.state, False, reason, detail)

    def is_overtaken(self, stamp_s: float, since_s: float) -> bool:
        """Whether an image of that time or later has given a pose since then, by the clock that is never set."""
        newest = self._chain[-1] if self._chain else None
        return newest is not None and newest.stamp_s >= stamp_s and newest.steady_s >= since_s

    def silence(self, now_s: float) -> Verdict | None:
        """Call now and then; a verdict, once, when the images have stopped."""
        if self._last_arrival_s is None or self._silent:
            return None
        quiet_s = now_s - self._last_arrival_s
        if quiet_s < 0:  # the clock was set back, or a recording started over: count from here
            self._last_arrival_s = now_s
            return None
        if quiet_s < self.config.silence_timeout_s:
            return None
        self._silent = True
        self.forget()
        return Verdict(State.LOST, False, "images_stopped", f"no image has arrived for {quiet_s:.1f} s")

    def _plausible(self, earlier: StampedPose, later: StampedPose) -> bool:
        elapsed_s = later.stamp_s - earlier.stamp_s
        if elapsed_s <= 0:  # a recording started over; two images of one instant are no confirmation either
            return False
        # A clock that is set ahead moves no camera; images come late by less than what counts as silence.
        elapsed_s = min(elapsed_s, max(later.steady_s - earlier.steady_s, self.config.silence_timeout_s))
        moved = center_error(earlier.camera_from_map, later.camera_from_map)
        turned = np.radians(rotation_error_deg(earlier.camera_from_map, later.camera_from_map))
        return bool(
            moved <= self.config.position_slack + self.config.max_speed * elapsed_s
            and turned <= self.config.rotation_slack + self.config.max_turn_rate * elapsed_s
        )

    def _believe(self, pose: StampedPose) -> Verdict:
        self.state, self._failures, self._last_good = State.TRACKING, 0, pose
        return Verdict(State.TRACKING, True, "", "")

    def _fail(self, reason: str, detail: str) -> Verdict:
        self._failures += 1
        if self.state is not State.LOST:
            if self._failures >= self.config.lost_after:
                self._become_lost()
            else:
                self.state = State.DEGRADED
        return Verdict(self.state, False, reason, detail)

    def _become_lost(self) -> None:
        self.state, self._last_good = State.LOST, None
