"""The ROS 2 node: the only room, with the demo's, the bench's and the replay's own, that imports ROS."""
