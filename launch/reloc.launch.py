"""Start the relocalization node, and RViz if wanted.

ros2 launch reloc_ros reloc.launch.py bundle:=/maps/office image:=/camera/image_raw camera_info:=/camera/info
"""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

# These are parameters of the node; an empty argument leaves what the parameter file says.
PARAMETERS = {
    "bundle": "Folder of the map bundle that `reloc export` wrote.",
    "backend": "What runs the network: auto, torch, onnx, tensorrt or openvino.",
    "tf_mode": "Transform to broadcast while tracking: none or map_camera.",
    "image_transport": "raw, or compressed for the topic IMAGE/compressed.",
    "camera_source": "Where intrinsics come from: topic, bundle or file.",
    "camera_info_file": "Intrinsics for camera_source:=file.",
    "camera_frame": "Optical frame of the camera, where the images name none or the wrong one.",
}


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("reloc_ros")
    arguments = [
        DeclareLaunchArgument("image", default_value="image", description="Topic of the images."),
        DeclareLaunchArgument(
            "camera_info", default_value="camera_info", description="Topic of the intrinsics."
        ),
        DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node."),
        DeclareLaunchArgument("name", default_value="reloc", description="Name of the node and its topics."),
        DeclareLaunchArgument(
            "params_file",
            default_value=PathJoinSubstitution([share, "config", "reloc.yaml"]),
            description="Parameter file; the arguments below go before it.",
        ),
        DeclareLaunchArgument(
            "use_sim_time", default_value="false", choices=["true", "false"], description="Time from /clock."
        ),
        DeclareLaunchArgument(
            "rviz",
            default_value="false",
            choices=["true", "false"],
            description="Start RViz beside the node.",
        ),
        *(
            DeclareLaunchArgument(name, default_value="", description=text)
            for name, text in PARAMETERS.items()
        ),
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([share, "config", "reloc.rviz"])],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=_node), rviz])


def _node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {name: LaunchConfiguration(name).perform(context) for name in PARAMETERS}
    return [
        Node(
            package="reloc_ros",
            executable="reloc_node",
            name=LaunchConfiguration("name"),
            namespace=LaunchConfiguration("namespace"),
            parameters=[
                LaunchConfiguration("params_file"),
                {name: ParameterValue(value, value_type=str) for name, value in given.items() if value},
                {"use_sim_time": LaunchConfiguration("use_sim_time").perform(context) == "true"},
            ],
            remappings=[
                ("image", LaunchConfiguration("image")),
                ("camera_info", LaunchConfiguration("camera_info")),
            ],
            output="screen",
        )
    ]
