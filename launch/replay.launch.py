"""Play a bag to the relocalization node and watch it in RViz; everything goes by the bag's clock.

ros2 launch reloc_ros replay.launch.py bag:=walk.mcap bundle:=/maps/office image:=/camera/image_raw

Every argument of reloc.launch.py may be given as well. It ends with the bag.
"""

import sys

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

PATIENCE_S = 120
"""For the node to load its network."""


def generate_launch_description() -> LaunchDescription:
    node = PathJoinSubstitution([FindPackageShare("reloc_ros"), "launch", "reloc.launch.py"])
    arguments = {
        "rate": ("1.0", "Seconds of the bag a second."),
        "start": ("0.0", "Where to start, seconds from the start of the bag."),
        "loop": ("false", "Start over at the end: true or false."),
        "rviz": ("true", "Start RViz: true or false."),
        "namespace": ("", "Namespace of the node."),
        "name": ("reloc", "Name of the node."),
    }
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="A bag folder, or a single .mcap or .db3 file."),
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in arguments.items()
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(node),
                launch_arguments={"use_sim_time": "true", "rviz": LaunchConfiguration("rviz")}.items(),
            ),
            OpaqueFunction(function=_replay),
        ]
    )


def _replay(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    given = {
        name: LaunchConfiguration(name).perform(context)
        for name in ("bag", "rate", "start", "loop", "namespace", "name")
    }
    node = "/".join(["", *filter(None, given["namespace"].split("/")), given["name"]])
    command = [sys.executable, "-m", "reloc_ros.cli", "replay", given["bag"]]
    command += [
        "--rate",
        given["rate"],
        "--start",
        given["start"],
        "--wait",
        str(PATIENCE_S),
        "--wait-for",
        node,
    ]
    command += ["--loop"] * (given["loop"].lower() in ("true", "1"))
    return [ExecuteProcess(cmd=command, name="replay", output="screen", on_exit=Shutdown())]
