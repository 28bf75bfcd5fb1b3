"""`reloc replay` as a process, over DDS, with bags that rosbags wrote."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import rclpy
from bags import FRAME, PERIOD_S, START_NS, WrittenBag, render, write_bag
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from reloc_ros.msg import RelocStatus
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from reloc_ros.cli import main
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag
from reloc_ros.replay.options import ReplayOptions
from reloc_ros.ros.spinning import Spinning

DEADLINE_S = 100.0
FRAMES = 8
SIZE = FRAMES * PERIOD_S


@pytest.fixture(scope="module")
def pictures():
    return render(FRAMES)


@pytest.fixture(scope="module")
def bag(pictures, tmp_path_factory) -> WrittenBag:
    return write_bag(tmp_path_factory.mktemp("bags") / "walk", pictures, mcap=True)


class Listener:
    """Hears what is played, raw images included."""

    def __init__(self, image: str = "/camera/image_raw") -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("listener", context=self.context)
        self.images: list[bytes] = []
        self.infos: list[CameraInfo] = []
        self.clocks_ns: list[int] = []
        self.children: list[str] = []
        self.statuses: list[RelocStatus] = []
        self.node.create_subscription(Image, image, self.images.append, 50, raw=True)
        self.node.create_subscription(CameraInfo, "/camera/camera_info", self.infos.append, 50)
        clock = QoSProfile(depth=100)  # reliable: nodes may miss a tick, the tests must not
        self.node.create_subscription(Clock, "/clock", self._on_clock, clock)
        self.listen_to_mounts()
        latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(RelocStatus, "/reloc/status", self.statuses.append, latched)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._spinning = Spinning(self._executor)

    def listen_to_mounts(self) -> None:
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(TFMessage, "/tf_static", self._on_mounts, latched)

    def close(self) -> None:
        self._spinning.end()
        self.node.destroy_node()
        self.context.try_shutdown()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline_s:
                came = (
                    f"{len(self.clocks_ns)} ticks, {len(self.images)} images, {len(self.infos)} camera_info"
                )
                said = [(status.state, status.reason) for status in self.statuses[-5:]]
                raise AssertionError(f"{what} did not come within {DEADLINE_S} s; {came}, at last {said}")
            time.sleep(0.01)

    def _on_clock(self, message: Clock) -> None:
        self.clocks_ns.append(Time.from_msg(message.clock).nanoseconds)

    def _on_mounts(self, message: TFMessage) -> None:
        self.children += [transform.child_frame_id for transform in message.transforms]


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def start_replay():
    processes: list[subprocess.Popen[str]] = []

    def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-c",
            "from reloc_ros.cli import main; main()",
            "replay",
            str(path),
            *arguments,
        ]
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        print(process.communicate()[0])  # shown where the test failed


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=DEADLINE_S)
    return process.returncode, " ".join(output.split())


@pytest.mark.parametrize("mcap", [True, False], ids=["mcap", "sqlite3"])
def test_a_bag_is_played_byte_for_byte_with_its_clock_to_the_end(
    listener, start_replay, pictures, tmp_path, mcap
):
    written = write_bag(tmp_path / "bag", pictures, mcap=mcap)
    code, output = ended(start_replay(written.path))
    assert code == 0, output
    assert "/secret is not played: its type nobody_has/msg/This is not installed" in output
    assert f"played after {2 * FRAMES + 2} messages" in output
    listener.wait_for(lambda: len(listener.images) == FRAMES, "all images")
    assert listener.images == written.images
    listener.wait_for(lambda: len(listener.infos) == FRAMES, "all intrinsics")
    listener.wait_for(lambda: sorted(listener.children) == sorted([FRAME, "lidar"]), "the mounts, once")
    clocks_ns, end_ns = listener.clocks_ns, START_NS + round((FRAMES - 1) * PERIOD_S * 1e9)
    listener.wait_for(lambda: clocks_ns and clocks_ns[-1] == end_ns, "the clock's last tick")
    assert clocks_ns == sorted(clocks_ns)
    assert clocks_ns[0] == START_NS  # it stands while others find the topics


def test_a_single_file_is_a_bag_too(bag):
    file = next(bag.path.glob("*.mcap"))
    with Bag(file) as opened:
        assert opened.topics()["/camera/image_raw"].count == FRAMES
        assert opened.duration_s == pytest.approx((FRAMES - 1) * PERIOD_S)
        images = [message.data for message in opened.messages(["/camera/image_raw"])]
    assert images == bag.images


def test_rate_and_start_offset_change_when_not_what(listener, start_replay, bag):
    offset_s = 0.35
    start_s = time.monotonic()
    code, output = ended(start_replay(bag.path, "--rate", "0.25", "--start", str(offset_s)))
    assert code == 0, output
    assert time.monotonic() - start_s > ((FRAMES - 1) * PERIOD_S - offset_s) / 0.25
    listener.wait_for(lambda: len(listener.images) >= 4, "the images")
    assert listener.images == bag.images[4:]
    # What is said once, and before the start, is said all the same.
    listener.wait_for(lambda: sorted(listener.children) == sorted([FRAME, "lidar"]), "the mounts, once")
    assert listener.clocks_ns[0] == START_NS + round(offset_s * 1e9)


def test_a_loop_sets_the_clock_back_until_it_is_stopped(listener, start_replay, bag):
    replay = start_replay(bag.path, "--loop", "--rate", "4")
    listener.wait_for(lambda: len(listener.images) > 2 * FRAMES, "a third round")
    assert any(
        later < earlier for earlier, later in zip(listener.clocks_ns, listener.clocks_ns[1:], strict=False)
    )
    listener.children.clear()
    listener.listen_to_mounts()  # one who comes late gets every mount, not only the last message
    listener.wait_for(lambda: {FRAME, "lidar"} <= set(listener.children), "the mounts")
    replay.send_signal(signal.SIGINT)
    replay.send_signal(signal.SIGINT)
    code, output = ended(replay)
    assert code == 0, output
    assert "stopped after" in output
    assert "Traceback" not in output


def test_sigterm_ends_a_replay(start_replay, listener, bag):
    replay = start_replay(bag.path, "--loop")
    listener.wait_for(lambda: listener.images, "an image")
    replay.send_signal(signal.SIGTERM)
    code, output = ended(replay)
    assert (code, "Traceback" in output) == (0, False), output


def test_topics_can_be_chosen_and_renamed_and_time_left_alone(start_replay, bag):
    listener = Listener("/front/image")
    try:
        arguments = (
            "--topic",
            "/camera/image_raw",
            "--remap",
            "/camera/image_raw:=/front/image",
            "--clock-hz",
            "0",
        )
        code, output = ended(start_replay(bag.path, *arguments))
        assert code == 0, output
        listener.wait_for(lambda: len(listener.images) == FRAMES, "the images")
        assert (listener.infos, listener.children, listener.clocks_ns) == ([], [], [])
    finally:
        listener.close()


def test_best_effort_listeners_are_served_too(start_replay, bag):
    """The bag's camera was best effort; small messages reach whom the same pleases, if not each in each round."""
    context = Context()
    rclpy.init(context=context)
    node = Node("listener", context=context)
    heard: list[CameraInfo] = []
    profile = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(CameraInfo, "/camera/camera_info", heard.append, profile)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        replay = start_replay(bag.path, "--loop")
        deadline_s = time.monotonic() + DEADLINE_S
        while len(frames := {Time.from_msg(info.header.stamp).nanoseconds for info in heard}) < FRAMES:
            assert time.monotonic() < deadline_s, f"{len(frames)} of {FRAMES}"
            executor.spin_once(timeout_sec=0.1)
        replay.send_signal(signal.SIGINT)
        assert ended(replay)[0] == 0
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


@pytest.mark.slow
def test_the_node_localizes_in_simulated_time_what_is_replayed_twice(listener, start_node, start_replay, bag):
    start_node(
        bundle=str(EMBEDDED_BUNDLE),
        use_sim_time=True,
        remap={"image": "/camera/image_raw", "camera_info": "/camera/camera_info"},
    )
    listener.wait_for(lambda: listener.statuses, "the node")
    replay = start_replay(bag.path, "--loop", "--rate", "0.3")
    second_round = []

    def tracks_again() -> bool:
        jumps = [
            i
            for i, (a, b) in enumerate(zip(listener.clocks_ns, listener.clocks_ns[1:], strict=False))
            if b < a
        ]
        if jumps and not second_round:
            second_round.append(len(listener.statuses))
        new = listener.statuses[second_round[0] :] if second_round else []
        return any(status.state == RelocStatus.TRACKING for status in new)

    listener.wait_for(tracks_again, "tracking in the second round")
    stamps_ns = {Time.from_msg(s.header.stamp).nanoseconds for s in listener.statuses if s.pose_published}
    assert min(stamps_ns) >= START_NS
    assert max(stamps_ns) <= START_NS + SIZE * 1e9
    replay.send_signal(signal.SIGINT)
    assert ended(replay)[0] == 0


@pytest.fixture(scope="module")
def bad(bag, tmp_path_factory) -> Path:
    """A folder of what is no bag, and of one that was."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "text.mcap").write_text("no bag")
    (folder / "walk.txt").write_text("no bag")
    file = next(bag.path.glob("*.mcap"))
    (folder / "cut.mcap").write_bytes(file.read_bytes()[:1000])  # before the end of its first message
    (folder / "folder").mkdir()
    (folder / "folder" / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    (folder / "good").symlink_to(bag.path)
    return folder


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("none", [], "there is no bag at"),
        ("empty", [], "it has no metadata.yaml"),
        ("text.mcap", [], "cannot be read"),
        ("walk.txt", [], "cannot be read"),
        ("cut.mcap", [], "cannot be read"),
        ("folder", [], "cannot be read"),
        ("good", ["--topic", "/nowhere"], "has no topic /nowhere; it has /camera/camera_info"),
        ("good", ["--remap", "/camera/image_raw"], "remap must be OLD:=NEW"),
        ("good", ["--remap", "/camera/image_raw:=1 2"], "is not a topic name"),
        ("good", ["--rate", "0"], "rate must be above 0"),
        ("good", ["--start", "100"], "s long; it cannot start at 100 s"),
        ("good", ["--topic", "/secret"], "no messages to play"),
    ],
)
def test_bad_input_is_one_sentence(bad, monkeypatch, capfd, name, arguments, words):
    monkeypatch.setattr(sys, "argv", ["reloc", "replay", str(bad / name), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == RelocError.EXIT_CODE
    output = " ".join("".join(capfd.readouterr()).split())
    assert words in output
    assert output.count("error:") == 1
    assert "Traceback" not in output


def test_a_file_that_is_cut_while_it_plays_ends_with_a_sentence(pictures, tmp_path):
    """The index of a sqlite3 file may be whole while its pages are not."""
    path = write_bag(tmp_path / "bag", pictures, mcap=False).path
    file = next(path.glob("*.db3"))
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 200_000] = bytes(200_000)
    file.write_bytes(damaged)
    with pytest.raises(RelocError, match="cannot be read"), Bag(path) as bag:
        list(bag.messages(["/camera/image_raw"]))


@pytest.mark.parametrize(
    "options", [{"rate": float("nan")}, {"start_s": -1.0}, {"clock_hz": -1.0}, {"wait_s": 1e9}]
)
def test_options_without_sense_are_refused_by_name(options):
    with pytest.raises(RelocError, match=next(iter(options))):
        ReplayOptions(**options)
