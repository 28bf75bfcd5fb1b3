"""What the node listens to: the images of one camera, and its intrinsics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.io.camera_info import (
    camera_from_message,
    is_named_rectified,
    log_camera_info,
    log_given_camera,
)
from reloc_ros.io.image_messages import BitDepth, image_from_compressed, image_from_message
from reloc_ros.ros.control.camera_parameters import ONE_CAMERA, CameraParameters
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.conversions import fixed_camera_for, message_camera_for
from reloc_ros.ros.input.adaptive_subscription import AdaptiveSubscription
from reloc_ros.ros.input.info_pairing import PairedInfos
from reloc_ros.ros.input.other_transports import other_transports

ImageMessage = Image | CompressedImage


class CameraInput:
    """The subscriptions, from construction until `close`; callbacks come on the executor's thread."""

    def __init__(
        self,
        node: Node,
        given: Parameters,
        on_image: Callable[[ImageMessage], None],
        camera: CameraParameters = ONE_CAMERA,
    ) -> None:
        """Listen; RelocError where what is given does not work. Args: given: as they hold for this camera."""
        self._image, self._camera_info = camera.image, camera.camera_info
        self._node, self._given, self._on_image = node, given, on_image
        self._infos = PairedInfos()
        self._other_transports = ""
        self._depth = BitDepth()
        self._fixed_camera: Camera | None = None
        self._image_subscription: AdaptiveSubscription | None = None
        self._info_subscription = None
        if given.camera_source == "topic":
            self._info_subscription = AdaptiveSubscription(
                node, CameraInfo, self._camera_info, self._on_info, depth=10, follow_durability=True
            )
        compressed = given.image_transport == "compressed"
        # Like image_transport, so that remapping `image` alone is enough for either transport.
        self._asked = f"{node.resolve_topic_name(self._image)}/compressed" if compressed else self._image
        self.topic = node.resolve_topic_name(self._asked)
        self._image_type = CompressedImage if compressed else Image
        auto = is_named_rectified(self.topic)
        self._rectified = auto if given.image_rectified == "auto" else given.image_rectified == "true"
        try:
            self.listen(True)
        except RelocError:
            self.close()
            raise

    @property
    def problem(self) -> str:
        """Which publishers cannot be heard and why; empty when all are."""
        problems = (self._other_transports, *(s.problem for s in self._subscriptions()))
        return "; ".join(filter(None, problems))

    @property
    def info_topic(self) -> str:
        return self._node.resolve_topic_name(self._camera_info)

    @property
    def is_listening(self) -> bool:
        return self._image_subscription is not None

    def listen(self, wanted: bool) -> None:
        """Receive images, or not: an image costs its way here even where nobody looks at it."""
        if wanted and self._image_subscription is None:
            self._image_subscription = AdaptiveSubscription(
                self._node,
                self._image_type,
                self._asked,
                self._on_image,
                depth=self._given.image_queue_depth,
                reliability=self._given.image_reliability,
            )
        elif not wanted and self._image_subscription is not None:
            self._image_subscription.close()
            self._image_subscription = None

    def follow(self) -> None:
        """Adapt to the publishers of this moment; call it now and then."""
        for subscription in self._subscriptions():
            subscription.follow()
        if self.is_listening:
            self._notice_other_transports()

    def _notice_other_transports(self) -> None:
        image = self._node.resolve_topic_name(self._image)
        found = other_transports(self._node, image, self._given.image_transport)
        if found and found != self._other_transports:
            self._node.get_logger().warning(found)
        self._other_transports = found

    def close(self) -> None:
        for subscription in self._subscriptions():
            subscription.close()
        self._image_subscription = self._info_subscription = None
        self._other_transports = ""

    def pixels_of(self, message: ImageMessage) -> np.ndarray:
        """The picture (H, W, 3) BGR or (H, W) grey of a stamped message.

        Raises:
            RelocError: it is none, or has no stamp of any use.
        """
        stamp = message.header.stamp
        if stamp.sec < 0:
            raise RelocError(f"image is stamped {stamp.sec} s, before all time that ROS knows")
        if stamp.sec == 0 and stamp.nanosec == 0:
            raise RelocError("image has no stamp; a pose needs the time that its image was taken")
        if isinstance(message, CompressedImage):
            return image_from_compressed(message, self._depth)
        return image_from_message(message, self._depth)

    def camera_for(self, image: np.ndarray, stamp: Time, fixed_camera: Camera | None) -> Camera | None:
        """The intrinsics of this image (H, W) or (H, W, 3), taken at `stamp`; None while nothing is known.

        Raises:
            RelocError: what is known is no camera, or not that of this image.
        """
        if fixed_camera is not None:
            if fixed_camera != self._fixed_camera and self._given.image_rectified == "auto":
                log_given_camera(fixed_camera, self.topic)
            self._fixed_camera = fixed_camera
            return fixed_camera_for(fixed_camera, image)
        info = self._infos.of(stamp)
        return info and message_camera_for(info, image, rectified=self._rectified)

    def _subscriptions(self) -> list[AdaptiveSubscription]:
        return [s for s in (self._image_subscription, self._info_subscription) if s is not None]

    def _on_info(self, message: CameraInfo) -> None:
        before = self._infos.add(message)
        if before is not None and _intrinsics(before) == _intrinsics(message):
            return
        with contextlib.suppress(Exception):  # with the next image, the status says what is wrong with it
            camera_from_message(message, rectified=self._rectified)
            log_camera_info(message, f"images of {self.topic}", rectified=self._rectified)


def _intrinsics(message: CameraInfo) -> tuple:
    """All of a camera_info but its header, for comparison."""
    numbers = (bytes(message.d), *(values.tobytes() for values in (message.k, message.r, message.p)))
    size = (message.height, message.width, message.binning_x, message.binning_y)
    return message.distortion_model, numbers, size, repr(message.roi)
