from collections.abc import Callable
from time import sleep

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time

from tf2_ros.buffer_core import BufferCore
from tf2_ros.exceptions import TransformException

POLL_PERIOD_S = 0.02
NO_WAIT = Duration()


class Buffer(BufferCore):
    """Known transforms, with waiting; emptied when time jumps back, as when a recording starts over."""

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        self.clock = node.get_clock() if node is not None else Clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NO_WAIT
    ) -> TransformStamped:
        """The transform that takes coordinates in source_frame to target_frame; time zero is the latest."""
        return _waited_for(lambda: self.lookup_transform_core(target_frame, source_frame, time), timeout)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> TransformStamped:
        """The same between two times, with fixed_frame at rest meanwhile."""
        frames = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return _waited_for(lambda: self.lookup_transform_full_core(*frames), timeout)

    def can_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NO_WAIT
    ) -> bool:
        try:
            self.lookup_transform(target_frame, source_frame, time, timeout)
        except TransformException:
            return False
        return True


def _waited_for(lookup: Callable[[], TransformStamped], timeout: Duration) -> TransformStamped:
    clock = Clock()
    deadline = clock.now() + timeout
    while True:
        try:
            return lookup()
        except TransformException:
            if clock.now() >= deadline:
                raise
        sleep(POLL_PERIOD_S)
