"""Two nodes that share a TF tree over DDS: one owns the TfTree under test, the other is the rest of the robot."""

from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, StaticTransformBroadcaster, TransformBroadcaster, TransformListener

from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import se3_from_transform, transform_from_se3
from reloc_ros.ros.spinning import Spinning
from reloc_ros.ros.tf.tree import TfConfig, TfTree

DEADLINE_S = 90.0


def at(seconds: float) -> Time:
    return Time(nanoseconds=round(seconds * 1e9))


class TfWorld:
    """A robot: it broadcasts transforms, hears what the tree under test broadcasts, and may drive the clock."""

    def __init__(self, *, simulated_time: bool = False, namespace: str = "") -> None:
        """Args: namespace: where the tree is."""
        self.context = Context()
        rclpy.init(context=self.context)
        overrides = [Parameter("use_sim_time", value=True)] if simulated_time else []
        self.node = Node("reloc", context=self.context, parameter_overrides=overrides)
        words = [f"/{topic}:={namespace}/{topic}" for topic in ("tf", "tf_static")] if namespace else []
        remappings = [word for rule in words for word in ("-r", rule)]
        self.robot = Node("robot", context=self.context, cli_args=["--ros-args", *remappings])
        self.heard: list[TransformStamped] = []
        """Every transform on /tf."""
        self.robot.create_subscription(TFMessage, "/tf", self._on_transforms, 100)
        self.buffer = Buffer()
        self._listener = TransformListener(self.buffer, self.robot)
        self._broadcaster = TransformBroadcaster(self.robot)
        self._static_broadcaster = StaticTransformBroadcaster(self.robot)
        self._clock = self.robot.create_publisher(Clock, "/clock", 10)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._executor.add_node(self.robot)
        self._spinning = Spinning(self._executor)
        self._trees: list[TfTree] = []

    def close(self) -> None:
        self._spinning.end()
        for (
            tree
        ) in self._trees:  # once nobody spins: elsewhere the executor may be about to look at what goes
            tree.close()
        self.node.destroy_node()
        self.robot.destroy_node()
        self.context.try_shutdown()

    def tree(self, mode: str, **config) -> TfTree:
        """The tree under test."""
        config.setdefault("lookup_timeout_s", 10.0)  # waits end when the transform is there
        tree = TfTree(self.node, TfConfig(mode, **config))
        self._trees.append(tree)
        return tree

    def now(self) -> Time:
        return self.robot.get_clock().now()

    def send(self, parent: str, child: str, parent_from_child: SE3, stamp: Time) -> None:
        self._broadcaster.sendTransform(_message(parent, child, parent_from_child, stamp))

    def send_static(self, parent: str, child: str, parent_from_child: SE3) -> None:
        self._static_broadcaster.sendTransform(_message(parent, child, parent_from_child, Time()))

    def set_clock(self, seconds: float) -> None:
        """Send the time until the node under test has it."""
        stamp = at(seconds)

        def tick() -> bool:
            self._clock.publish(Clock(clock=stamp.to_msg()))
            time.sleep(0.02)
            return self.node.get_clock().now().nanoseconds == stamp.nanoseconds

        self.wait_for(tick, f"the time {seconds} s")

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{what} did not come within {DEADLINE_S} s")
            time.sleep(0.005)

    def wait_for_transform(self, parent: str, child: str, stamp: Time) -> SE3:
        """`parent_from_child` as any other node on the robot sees it."""
        self.wait_for(lambda: self.buffer.can_transform(parent, child, stamp), f"{parent} from {child}")
        return se3_from_transform(self.buffer.lookup_transform(parent, child, stamp).transform)

    def sent(self, parent: str, child: str) -> list[TransformStamped]:
        """What was broadcast so far of one link."""
        return [
            message
            for message in list(self.heard)
            if (message.header.frame_id, message.child_frame_id) == (parent, child)
        ]

    def _on_transforms(self, message: TFMessage) -> None:
        self.heard += message.transforms


def seconds_after(stamp: Time, seconds: float) -> Time:
    return stamp + Duration(seconds=seconds)


def _message(parent: str, child: str, parent_from_child: SE3, stamp: Time) -> TransformStamped:
    return TransformStamped(
        header=Header(stamp=stamp.to_msg(), frame_id=parent),
        child_frame_id=child,
        transform=transform_from_se3(parent_from_child),
    )
