"""The relocalization node: images in; poses, a transform and a status out."""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovariance, PoseWithCovarianceStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_ros import TransformBroadcaster

from reloc_ros.camera_files import read_camera_file
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3, Camera
from reloc_ros.localizer import Localized, Localizer, LocalizerConfig, Lost
from reloc_ros.msg import RelocStatus
from reloc_ros.ros.adaptive_subscription import AdaptiveSubscription
from reloc_ros.ros.conversions import (
    fixed_camera_for,
    image_from_compressed,
    image_from_message,
    message_camera_for,
    pose_from_se3,
    seconds_from_stamp,
    transform_from_se3,
)
from reloc_ros.ros.newest import Newest
from reloc_ros.ros.parameters import Parameters, declare_parameters
from reloc_ros.ros.process import ForwardToRos, run_node
from reloc_ros.status import State, StatusConfig, StatusMachine, Verdict

WATCH_PERIOD_S = 0.1
"""How often publishers and silence are looked at."""


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """What one image came to, before the status machine judged it."""

    result: Localized | Lost | None
    """None: the image never got to the localizer."""
    reason: str
    detail: str
    latency_s: float


class RelocNode(Node):
    """One camera, one map: the executor's thread receives, a worker localizes the newest image."""

    def __init__(self) -> None:
        super().__init__("reloc")
        self.parameters = declare_parameters(self)
        logging.getLogger("reloc_ros").addHandler(ForwardToRos(self))
        logging.getLogger("reloc_ros").setLevel(logging.INFO)
        self._localizer = _make_localizer(self.parameters)
        bundle = self._localizer.bundle
        self._map_frame = self.parameters.map_frame or bundle.frame
        self._fixed_camera = _fixed_camera(self.parameters, bundle.camera)
        self._camera_info: CameraInfo | None = None
        self._status = StatusMachine(_status_config(self.parameters, self._localizer))
        self._status_lock = threading.Lock()
        self._announced: State | None = None
        self._received = self._localized = self._lost = 0
        self._newest: Newest[Image | CompressedImage] = Newest()
        self._make_publishers()
        self._make_subscriptions()
        self.create_timer(WATCH_PERIOD_S, self._watch)
        self._worker: threading.Thread | None = None
        self._log_start()
        waiting = Verdict(State.LOST, False, "waiting_for_image", "no image has arrived yet")
        self._publish_status(self._header_now(), waiting)

    def start(self, fail: Callable[[], None]) -> None:
        """Begin to localize; `fail` is called from the worker's except clause if it cannot go on."""
        self._worker = threading.Thread(target=self._work, args=(fail,), name="localize")
        self._worker.start()

    def stop(self) -> None:
        """Let the image in work finish, then end the worker."""
        self._newest.close()
        if self._worker is not None:
            self._worker.join()

    def _make_publishers(self) -> None:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._pose_publisher = self.create_publisher(PoseStamped, "~/pose", 10)
        self._covariance_publisher = self.create_publisher(
            PoseWithCovarianceStamped, "~/pose_with_covariance", 10
        )
        self._status_publisher = self.create_publisher(RelocStatus, "~/status", latched)
        self._tf_broadcaster = TransformBroadcaster(self) if self.parameters.tf_mode != "none" else None

    def _make_subscriptions(self) -> None:
        given = self.parameters
        compressed = given.image_transport == "compressed"
        # Like image_transport, so that remapping `image` alone is enough for either transport.
        topic = f"{self.resolve_topic_name('image')}/compressed" if compressed else "image"
        self._image_subscription = AdaptiveSubscription(
            self,
            CompressedImage if compressed else Image,
            topic,
            self._on_image,
            depth=given.image_queue_depth,
            reliability=given.image_reliability,
        )
        self._subscriptions_to_watch = [self._image_subscription]
        if given.camera_source == "topic":
            info = AdaptiveSubscription(
                self, CameraInfo, "camera_info", self._on_camera_info, depth=1, follow_durability=True
            )
            self._subscriptions_to_watch.append(info)

    def _log_start(self) -> None:
        bundle = self._localizer.bundle
        self.get_logger().info(
            f"map {bundle.path}: {len(bundle.landmarks)} landmarks, backend {self._localizer.backend.name}, "
            f"images from {self._image_subscription.topic}"
        )
        if bundle.scale == "unknown":
            self.get_logger().warning("the scale of this map is unknown: its poses are not in metres")

    # On the executor's thread.

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._received += 1
        with self._status_lock:
            self._status.arrived(self._now_s())
        self._newest.put(message)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _watch(self) -> None:
        for subscription in self._subscriptions_to_watch:
            subscription.follow()
        with self._status_lock:
            verdict = self._status.silence(self._now_s())
            if verdict is not None:
                self._publish_status(self._header_now(), verdict)

    # On the worker's thread.

    def _work(self, fail: Callable[[], None]) -> None:
        try:
            while (message := self._newest.take()) is not None:
                outcome = self._localize(message)
                with self._status_lock:
                    self._report(message.header, outcome)
        except Exception:
            fail()

    def _localize(self, message: Image | CompressedImage) -> _Outcome:
        started_s = time.perf_counter()  # work takes real time, whatever clock the node goes by

        def outcome(result: Localized | Lost | None, reason: str, detail: str) -> _Outcome:
            return _Outcome(result, reason, detail, time.perf_counter() - started_s)

        info = self._camera_info
        if info is None and self._fixed_camera is None:
            topic = self.resolve_topic_name("camera_info")
            return outcome(None, "waiting_for_camera_info", f"nothing has arrived on {topic} yet")
        try:
            image = _image_from(message)
        except RelocError as error:
            return outcome(None, "bad_image", str(error))
        try:
            if self._fixed_camera is not None:
                camera = fixed_camera_for(self._fixed_camera, image)
            else:
                camera = message_camera_for(info, image, rectified=self.parameters.image_rectified)
        except RelocError as error:
            return outcome(None, "bad_camera_info", str(error))
        result = self._localizer.localize(image, camera)
        if isinstance(result, Lost):
            return outcome(result, result.reason.value, result.detail)
        return outcome(result, "", "")

    def _report(self, header: Header, outcome: _Outcome) -> None:
        result = outcome.result
        if isinstance(result, Localized):
            self._localized += 1
            verdict = self._status.localized(result.camera_from_map, seconds_from_stamp(header.stamp))
        else:
            self._lost += 1
            verdict = self._status.lost(outcome.reason, outcome.detail)
        if verdict.publish:
            self._publish_pose(header, result)
        self._publish_status(header, verdict, outcome)

    def _publish_pose(self, image_header: Header, result: Localized) -> None:
        header = Header(stamp=image_header.stamp, frame_id=self._map_frame)
        map_from_camera = result.camera_from_map.inverse()
        pose = pose_from_se3(map_from_camera)
        self._pose_publisher.publish(PoseStamped(header=header, pose=pose))
        covariance = PoseWithCovariance(pose=pose, covariance=result.covariance.ravel().astype(float))
        self._covariance_publisher.publish(PoseWithCovarianceStamped(header=header, pose=covariance))
        camera_frame = self.parameters.camera_frame or image_header.frame_id
        if self._tf_broadcaster is None:
            return
        if not camera_frame:
            self.get_logger().warning("images name no frame: no transform; set camera_frame", once=True)
            return
        self._tf_broadcaster.sendTransform(self._transform(image_header, camera_frame, map_from_camera))

    def _transform(self, image_header: Header, camera_frame: str, map_from_camera: SE3) -> TransformStamped:
        parent, child = self._map_frame, camera_frame
        parent_from_child = map_from_camera
        if self.parameters.tf_inverse:
            parent, child, parent_from_child = child, parent, map_from_camera.inverse()
        return TransformStamped(
            header=Header(stamp=image_header.stamp, frame_id=parent),
            child_frame_id=child,
            transform=transform_from_se3(parent_from_child),
        )

    # On either thread, under the status lock.

    def _publish_status(self, header: Header, verdict: Verdict, outcome: _Outcome | None = None) -> None:
        result = outcome.result if outcome else None
        if verdict.state != self._announced:
            self._announced = verdict.state
            self.get_logger().info(f"{verdict.state.name.lower()} {verdict.reason}".rstrip())
        age_s = self._now_s() - seconds_from_stamp(header.stamp)
        self._status_publisher.publish(
            RelocStatus(
                header=header,
                state=int(verdict.state),
                pose_published=verdict.publish,
                reason=verdict.reason,
                detail=verdict.detail,
                keypoints=len(result.keypoints) if result else 0,
                inliers=int(np.count_nonzero(result.inliers)) if result else 0,
                reprojection_rms_px=result.reprojection_rms_px if isinstance(result, Localized) else math.nan,
                latency_s=outcome.latency_s if outcome else math.nan,
                frame_age_s=age_s if outcome else math.nan,
                scale_known=self._localizer.bundle.scale == "metric",
                map_frame=self._map_frame,
                backend=self._localizer.backend.name,
                frames_received=self._received,
                frames_localized=self._localized,
                frames_lost=self._lost,
                frames_dropped=self._newest.overtaken,
            )
        )

    def _header_now(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg())

    def _now_s(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9


def _make_localizer(given: Parameters) -> Localizer:
    if not given.bundle:
        raise RelocError("parameter bundle is not set; give the folder that reloc export wrote")
    return Localizer.from_bundle(
        Path(given.bundle).expanduser(), given.backend, LocalizerConfig(solver=given.solver), given.threads
    )


def _fixed_camera(given: Parameters, bundle_camera: Camera) -> Camera | None:
    """The camera that holds for all images, or None where camera_info tells it."""
    if (given.camera_source == "file") != bool(given.camera_info_file):
        raise RelocError("camera_info_file goes with camera_source file: set both or neither")
    if given.camera_source == "bundle":
        return bundle_camera
    return read_camera_file(Path(given.camera_info_file).expanduser()) if given.camera_info_file else None


def _status_config(given: Parameters, localizer: Localizer) -> StatusConfig:
    """Plausible motion in map units: a map of unknown scale has its own size for a ruler."""
    bundle = localizer.bundle
    positions = bundle.landmarks.positions_map
    size = float(np.median(np.linalg.norm(positions - np.median(positions, axis=0), axis=1)))
    return StatusConfig(
        tracking_after=given.tracking_after,
        lost_after=given.lost_after,
        silence_timeout_s=given.silence_timeout_s,
        max_speed=given.max_speed * (1.0 if bundle.scale == "metric" else size),
        max_turn_rate=given.max_turn_rate,
        position_slack=0.1 * size,
    )


def _image_from(message: Image | CompressedImage) -> np.ndarray:
    if message.header.stamp.sec == 0 and message.header.stamp.nanosec == 0:
        raise RelocError("image has no stamp; a pose needs the time that its image was taken")
    if isinstance(message, CompressedImage):
        return image_from_compressed(message)
    return image_from_message(message)


def main(arguments: list[str] | None = None) -> int:
    return run_node("reloc_node", RelocNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
