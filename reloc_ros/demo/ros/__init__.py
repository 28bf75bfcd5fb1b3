"""The demo's processes over real topics: the camera, the watcher that judges, and their ROS domain."""
