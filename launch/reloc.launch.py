"""Start the relocalization node, and RViz if wanted; without a bundle, the embedded demo and its camera.

ros2 launch reloc_ros reloc.launch.py
ros2 launch reloc_ros reloc.launch.py bundle:=/maps/office image:=/camera/image_raw tf_mode:=map_odom rviz:=true
"""

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

# These are parameters of the node, with their types; an empty argument leaves what the parameter file says.
PARAMETERS = {
    "bundle": (str, "Folder of the map bundle that `reloc export` wrote; empty: the embedded demo."),
    "backend": (str, "What runs the network: auto, torch, onnx, tensorrt or openvino."),
    "precision": (str, "Numbers it computes with: auto, fp32, bf16, fp16 or int8."),
    "tf_mode": (str, "Transform to broadcast: none, map_camera, map_base or map_odom."),
    "map_frame": (str, "Frame of the poses, if not the one that the bundle names."),
    "odom_frame": (str, "The odometry's frame, for tf_mode:=map_odom."),
    "base_frame": (str, "The robot's frame, for tf_mode:=map_base."),
    "pose_frame": (str, "Frame whose pose is published, if not the camera's; for instance base_link."),
    "camera_frame": (str, "Optical frame of the camera, where the images name none or the wrong one."),
    "image_transport": (str, "raw, or compressed for the topic IMAGE/compressed."),
    "camera_source": (str, "Where intrinsics come from: topic, bundle or file."),
    "camera_info_file": (str, "Intrinsics for camera_source:=file."),
    "autostart": (bool, "Configure and activate by itself; false where a lifecycle manager does."),
}
TOPICS_IN_RVIZ = ("pose", "pose_with_covariance", "markers", "map_cloud", "debug_image")
RELATIVE_TF = [("/tf", "tf"), ("/tf_static", "tf_static")]
"""As Nav2's own launch files have it: a robot in a namespace has a tree of its own."""
RESPAWN_DELAY_S = 2.0
DEMO_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reloc_ros"


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("reloc_ros")
    arguments = {
        "image": ("", "Topic of the images."),
        "camera_info": ("", "Topic of the intrinsics; empty: camera_info beside the images."),
        "namespace": ("", "Namespace of the node."),
        "name": ("reloc", "Name of the node and of its topics."),
        "params_file": (
            PathJoinSubstitution([share, "config", "reloc.yaml"]),
            "Parameter file; the other arguments go before it.",
        ),
        "rviz": ("auto", "Start RViz: true, false, or auto (with the demo, where it is installed)."),
        "use_sim_time": ("false", "Time from /clock: true or false."),
        "relative_tf": (
            "false",
            "true: the tree is in the namespace, as Nav2's robots have it; false: on /tf, which all namespaces share.",
        ),
        "use_respawn": ("false", "Start the node again when it ends by itself: true or false."),
        **{name: ("", description) for name, (_, description) in PARAMETERS.items()},
    }
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {name: LaunchConfiguration(name).perform(context) for name in PARAMETERS}
    image, camera_info, namespace, name, rviz = (
        LaunchConfiguration(word).perform(context)
        for word in ("image", "camera_info", "namespace", "name", "rviz")
    )
    use_sim_time = _truth("use_sim_time", LaunchConfiguration("use_sim_time").perform(context))
    tf = RELATIVE_TF if _truth("relative_tf", LaunchConfiguration("relative_tf").perform(context)) else []
    is_demo = not given["bundle"]
    actions = []
    if is_demo:
        given["bundle"] = _embedded_bundle()
        actions.append(_demo_camera(namespace))
        image = image or "demo/image"
    image = image or "image"
    camera_info = camera_info or "/".join([*image.split("/")[:-1], "camera_info"])
    values = {
        parameter: ParameterValue(_truth(parameter, value) if kind is bool else value, value_type=kind)
        for parameter, (kind, _) in PARAMETERS.items()
        if (value := given[parameter])
    }
    actions.append(
        Node(
            package="reloc_ros",
            executable="reloc_node",
            name=name,
            namespace=namespace,
            parameters=[LaunchConfiguration("params_file"), values, {"use_sim_time": use_sim_time}],
            remappings=[("image", image), ("camera_info", camera_info), *tf],
            respawn=_truth("use_respawn", LaunchConfiguration("use_respawn").perform(context)),
            respawn_delay=RESPAWN_DELAY_S,
            output="screen",
        )
    )
    wants_rviz = is_demo if rviz == "auto" else _truth("rviz", rviz)
    if wants_rviz and rviz == "auto" and not _is_installed("rviz2"):
        actions.append(
            LogInfo(msg="rviz2 is not installed; watch the node with: ros2 topic echo /reloc/status")
        )
    elif wants_rviz:
        actions.append(_rviz(namespace, name, [("/image", image), *tf], use_sim_time))
    return actions


def _demo_camera(namespace: str) -> Node:
    return Node(
        package="reloc_ros",
        executable="demo_camera",
        namespace=f"{namespace}/demo",
        arguments=[str(DEMO_CACHE), "--endless"],
        output="screen",
    )


def _rviz(namespace: str, name: str, remappings: list[tuple[str, str]], use_sim_time: bool) -> Node:
    node = "/".join(["", *filter(None, namespace.split("/")), name])
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        arguments=["-d", PathJoinSubstitution([FindPackageShare("reloc_ros"), "config", "reloc.rviz"])],
        parameters=[{"use_sim_time": use_sim_time}],
        remappings=[
            *remappings,
            *((f"/reloc/{topic}", f"{node}/{topic}") for topic in TOPICS_IN_RVIZ),
        ],
    )


def _truth(name: str, word: str) -> bool:
    truths = {"true": True, "1": True, "false": False, "0": False}
    if word.lower() not in truths:
        raise ValueError(f"{name}:= takes true or false, not {word}")
    return truths[word.lower()]


def _embedded_bundle() -> str:
    import reloc_ros.demo

    return str(Path(reloc_ros.demo.__file__).parent / "bundle")


def _is_installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return True
