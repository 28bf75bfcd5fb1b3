"""Names are remapped once: rules that swap two topics, or follow one another, mean what they say."""

from __future__ import annotations

import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image
from waiting import until

from reloc_ros.ros.control.camera_parameters import CameraParameters
from reloc_ros.ros.control.parameters import Parameters
from reloc_ros.ros.input.adaptive_subscription import AdaptiveSubscription
from reloc_ros.ros.input.camera_input import CameraInput
from reloc_ros.ros.output.initial_pose import InitialPoseOutput


@pytest.fixture
def swapped(context: Context):
    """A node whose left and right cameras are the other way round."""
    rules = ("/left/image:=/right/image", "/right/image:=/left/image")
    arguments = [word for rule in rules for word in ("-r", rule)]
    node = Node("remapped", context=context, cli_args=["--ros-args", *arguments])
    yield node
    node.destroy_node()


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_cameras_that_are_swapped_are_heard_and_named_the_other_way_round(swapped, transport):
    given = Parameters(bundle="/maps/office", image_transport=transport)
    heard = CameraInput(swapped, given, lambda _: None, CameraParameters("left"))
    expected = "/right/image/compressed" if transport == "compressed" else "/right/image"
    assert heard.topic == expected and until(lambda: swapped.count_subscribers(heard.topic) == 1)
    heard.close()


def test_the_compressed_images_may_be_remapped_on_their_own(context):
    rules = ["-r", "image:=/front/image", "-r", "/front/image/compressed:=/radio/jpeg"]
    node = Node("remapped", context=context, cli_args=["--ros-args", *rules])
    heard = CameraInput(node, Parameters(bundle="/maps/office", image_transport="compressed"), lambda _: None)
    assert heard.topic == "/radio/jpeg" and until(lambda: node.count_subscribers(heard.topic) == 1)
    heard.close()
    node.destroy_node()


def test_it_is_the_publishers_of_the_topic_that_is_heard_whose_quality_of_service_counts(swapped, lone_node):
    lone_node.create_publisher(Image, "/right/image", 1)
    heard = AdaptiveSubscription(swapped, Image, "/left/image", lambda _: None, depth=1)

    def is_reliable() -> bool:
        heard.follow()
        return heard.profile.reliability == ReliabilityPolicy.RELIABLE

    assert heard.topic == "/right/image" and until(is_reliable)
    heard.close()


def test_it_is_the_localizer_that_is_heard_whose_restart_counts(context, lone_node):
    rules = ["-r", "amcl_pose:=/other/pose", "-r", "/other/pose:=/third/pose"]
    node = Node("remapped", context=context, cli_args=["--ros-args", *rules])
    told = InitialPoseOutput(node, Parameters(bundle="/maps/office"))
    lone_node.create_publisher(PoseWithCovarianceStamped, "/other/pose", 1)

    def is_known() -> bool:
        told._notice_restart()
        return len(told._their_endpoints) == 1

    assert until(is_known)
    told.close()
    node.destroy_node()
