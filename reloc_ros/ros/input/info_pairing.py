"""Which camera_info goes with which image: the one of its stamp, as message_filters pairs them by exact time."""

from __future__ import annotations

import collections
import threading

from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo

KEPT = 30
"""As many are remembered: a second's worth."""
PATIENCE_S = 0.01
"""For the camera_info of an image that came first, where the one of the image before had come; the pose waits that long
where it is lost. Sent just before a large image, a fifth are lost in Fast DDS's default shared memory."""


class PairedInfos:
    """Filled on one thread, asked on another. Where stamps never agree, the newest goes with every image."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._by_stamp: collections.OrderedDict[tuple[int, int], CameraInfo] = collections.OrderedDict()
        self._newest: CameraInfo | None = None
        self._paired = False

    def add(self, message: CameraInfo) -> CameraInfo | None:
        """Take the newest; returns the one before."""
        with self._arrived:
            before, self._newest = self._newest, message
            self._by_stamp[_key(message.header.stamp)] = message
            if len(self._by_stamp) > KEPT:
                self._by_stamp.popitem(last=False)
            self._arrived.notify_all()
            return before

    def of(self, stamp: Time) -> CameraInfo | None:
        """The one of an image with this stamp, waited for if stamps agree on this stream; else the newest, if any."""
        key = _key(stamp)
        with self._arrived:
            self._arrived.wait_for(lambda: self._has_or_missed(key), PATIENCE_S if self._paired else 0.0)
            self._paired = key in self._by_stamp
            return self._by_stamp.get(key, self._newest)

    def _has_or_missed(self, key: tuple[int, int]) -> bool:
        """Whether it is here, or a later one is: then it was lost, and is not waited for."""
        return key in self._by_stamp or (self._newest is not None and _key(self._newest.header.stamp) > key)


def _key(stamp: Time) -> tuple[int, int]:
    return stamp.sec, stamp.nanosec
