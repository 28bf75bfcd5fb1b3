"""In a node's place where transforms are heard and sent: by hand, at times of the test's own, without DDS."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from tf_world import at

from reloc_ros.geometry import SE3
from reloc_ros.ros.conversions import transform_from_se3
from reloc_ros.ros.tf import listener

START_S = 1000.0


class HandFed:
    """Hands what subscribes messages, keeps what is published and logged, and has clocks to be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock_s = self.monotonic_s = START_S
        self.static_publishers = 0
        """Of /tf_static, by others."""
        self.warnings: list[str] = []
        self.told: list[str] = []
        self.sent: list[TransformStamped] = []
        self.destroyed: list[object] = []
        self.on_timer: list[Callable[[], None]] = []
        self.on_jump: list[Callable[[object], None]] = []
        self._hear: dict[str, Callable[[TFMessage], None]] = {}
        monkeypatch.setattr(listener, "time", SimpleNamespace(monotonic=lambda: self.monotonic_s))
        publisher = SimpleNamespace(publish=lambda message: self.sent.extend(message.transforms))
        clock = SimpleNamespace(now=lambda: at(self.clock_s), create_jump_callback=self._jump_callback)
        self.node = SimpleNamespace(
            create_subscription=lambda _, topic, callback, *__, **___: (
                self._hear.update({topic: callback}) or topic
            ),
            create_publisher=lambda *_, **__: publisher,
            create_timer=lambda period_s, callback: self.on_timer.append(callback) or period_s,
            destroy_subscription=self.destroyed.append,
            destroy_publisher=self.destroyed.append,
            destroy_timer=self.destroyed.append,
            get_clock=lambda: clock,
            get_logger=lambda: SimpleNamespace(warning=self.warnings.append, info=self.told.append),
            resolve_topic_name=lambda name: f"/robot{name}",
            count_publishers=lambda topic: self.static_publishers if topic == "/robot/tf_static" else 99,
        )

    def hear(self, *messages: TransformStamped, static: bool = False) -> None:
        self._hear["/tf_static" if static else "/tf"](TFMessage(transforms=list(messages)))

    def _jump_callback(self, _, post_callback: Callable[[object], None]) -> SimpleNamespace:
        self.on_jump.append(post_callback)
        return SimpleNamespace(unregister=lambda: self.on_jump.remove(post_callback))


def pose(stamp_s: float) -> SE3:
    """At 1 m/s, of the start."""
    return SE3.from_rotation_vector([0, 0, 0.3], [stamp_s - START_S, 1.0, 0.0])


def link(parent: str, child: str, stamp_s: float = START_S, moved: SE3 | None = None) -> TransformStamped:
    return TransformStamped(
        header=Header(stamp=at(stamp_s).to_msg(), frame_id=parent),
        child_frame_id=child,
        transform=transform_from_se3(moved or pose(stamp_s)),
    )
