from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from tf2_msgs.msg import TFMessage


class TransformBroadcaster:
    """Sends changing transforms on /tf."""

    def __init__(self, node: Node) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf", 100)

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        several = isinstance(transform, Iterable)
        self.pub_tf.publish(TFMessage(transforms=list(transform) if several else [transform]))
