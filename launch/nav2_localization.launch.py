"""In place of nav2_bringup's localization_launch.py: a map server, and reloc_ros where AMCL would be.

ros2 launch reloc_ros nav2_localization.launch.py map:=office.yaml bundle:=/maps/office image:=/camera/image_raw
ros2 launch nav2_bringup navigation_launch.py

With namespace:=robot1 for both, everything is in that namespace, the TF tree included, as with Nav2's own launch files.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

RELATIVE_TF = [("/tf", "tf"), ("/tf_static", "tf_static")]


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("reloc_ros")
    params_file = LaunchConfiguration("params_file")
    use_sim_time = {"use_sim_time": LaunchConfiguration("use_sim_time")}
    shared = {"namespace": LaunchConfiguration("namespace"), "remappings": RELATIVE_TF, "output": "screen"}
    return LaunchDescription(
        [
            DeclareLaunchArgument("map", description="The occupancy grid's yaml file."),
            DeclareLaunchArgument(
                "bundle", description="Folder of the map bundle that `reloc export` wrote."
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([share, "config", "nav2.yaml"]),
                description="Parameters of all three nodes.",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the nodes and of the TF tree."
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="Time from /clock: true or false."
            ),
            DeclareLaunchArgument(
                "use_respawn",
                default_value="false",
                description="Start nodes again that end by themselves: true or false.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "reloc.launch.py"])),
                launch_arguments={"rviz": "false", "relative_tf": "true"}.items(),
            ),
            Node(
                package="nav2_map_server",
                executable="map_server",
                name="map_server",
                parameters=[params_file, {"yaml_filename": LaunchConfiguration("map")}, use_sim_time],
                respawn=LaunchConfiguration("use_respawn"),
                respawn_delay=2.0,
                **shared,
            ),
            Node(
                package="nav2_lifecycle_manager",
                executable="lifecycle_manager",
                name="lifecycle_manager_localization",
                parameters=[params_file, use_sim_time],
                **shared,
            ),
        ]
    )
