"""The demo's camera: publishes the pictures of the walk, their intrinsics and the truth, each stamped when sent."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from reloc_ros.demo.film.rendered_walk import RenderedWalk, stop_rendering
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.ros.picture_publisher import PicturePublisher, to_and_fro
from reloc_ros.errors import RelocError
from reloc_ros.ros.conversions import camera_info_from
from reloc_ros.stream.stop import Stop

NAMESPACE = "demo"
FRAME = "demo_camera"
LISTENERS_S = 45.0
"""How long to wait for somebody to listen."""
DELIVERY_S = 5.0
"""How long to wait at the end until all has arrived."""
ANNOUNCEMENTS = 5
LEAD = 1.2
"""Begin when the pictures to come would be rendered this much faster than they are played."""


class DemoCamera(PicturePublisher):
    """The camera in the namespace `demo`."""

    def __init__(self) -> None:
        super().__init__("camera", CAMERA, FRAME, NAMESPACE)
        self._topics = (self._images, self._infos, self._truths)

    @property
    def is_heard(self) -> bool:
        return all(publisher.get_subscription_count() > 0 for publisher in self._topics)

    def announce(self) -> None:
        """Send the intrinsics alone, and wait until they have arrived."""
        self._infos.publish(camera_info_from(CAMERA, self._header()))
        self._infos.wait_for_all_acked(Duration(seconds=1.0))

    def wait_until_received(self) -> None:
        """Nothing sent may be lost with this process: a lost piece is sent again only some seconds later."""
        for publisher in self._topics:
            publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))


class _Stopped(Exception):
    """Somebody asked this process to end."""


def play(node: DemoCamera, walk: RenderedWalk, stopped: Stop, *, endless: bool = False) -> None:
    """Render ahead, wait for listeners, then play at the walk's rate, or as fast as rendering can follow.

    Args:
        endless: listeners or not, play to and fro until stopped.
    """
    renderer = walk.start_rendering() if walk.ready() < len(walk) else None

    def pause(seconds: float) -> None:
        if stopped.wait(max(0.0, seconds)):
            raise _Stopped
        if renderer is not None and renderer.poll() not in (None, 0):
            raise RelocError(f"rendering the demo's pictures ended with code {renderer.returncode}")

    try:
        ready = _wait_for_lead(walk, pause)
        if not endless:
            _wait_for_listeners(node, pause)
        due_s = time.monotonic()
        for index in to_and_fro(len(walk)) if endless else range(len(walk)):
            while ready <= index:
                ready = walk.ready(ready)
                pause(0.02 if ready <= index else 0)
            picture = walk.picture(index)
            pause(due_s - time.monotonic())
            node.publish(picture, walk.trajectory.camera_from_map[index].inverse())
            due_s = max(due_s + 1 / walk.rate_hz, time.monotonic())
        node.wait_until_received()
    except _Stopped:
        pass
    finally:
        if renderer is not None:
            stop_rendering(renderer)


def _wait_for_lead(walk: RenderedWalk, pause) -> int:
    """Wait until what is ready suffices for rendering to stay ahead; returns how many pictures are ready."""
    ready = before = walk.ready()
    first_s: float | None = None
    while ready < len(walk):
        pause(0.1)
        ready = walk.ready(ready)
        if ready > before and first_s is None:
            before, first_s = ready, time.monotonic()
        elif first_s is not None and ready - before >= 2 * walk.rate_hz:
            rendered_hz = (ready - before) / (time.monotonic() - first_s)
            if LEAD * (len(walk) - ready) / rendered_hz < len(walk) / walk.rate_hz:
                break
    return ready


def _wait_for_listeners(node: DemoCamera, pause) -> None:
    deadline_s = time.monotonic() + LISTENERS_S
    while not node.is_heard:
        if time.monotonic() > deadline_s:
            raise RelocError(f"nobody has listened to the demo's camera for {LISTENERS_S:.0f} s")
        pause(0.05)
    # A camera that has been on for a while: a subscription may just be changing its quality of service, and what is
    # lost beside the first large images is sent again only seconds later.
    for _ in range(ANNOUNCEMENTS):
        pause(0.2)
        node.announce()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path, help="folder for the rendered pictures")
    parser.add_argument("--rate", type=float, default=8.0, help="pictures a second")
    parser.add_argument("--seconds", type=float, help="length of the walk, if not whole")
    parser.add_argument(
        "--endless", action="store_true", help="play to and fro until stopped, listeners or not"
    )
    given = parser.parse_args(remove_ros_args(sys.argv)[1:])
    stopped = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stopped.set)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = DemoCamera()
    try:
        walk = RenderedWalk.within(given.cache, given.rate, given.seconds)
        play(node, walk, stopped, endless=given.endless)
    except RelocError as error:
        print(f"demo_camera: {error}", file=sys.stderr)
        return RelocError.EXIT_CODE
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
