"""Stand-in for cv_bridge, for machines without a ROS distribution: CvBridge, written with OpenCV's python alone.

Names, arguments, results and exceptions are those of the genuine package; code written against this one runs
unchanged against that one. Not here: the C++ submodule `boost` and colour maps for depth images.
"""

from cv_bridge.core import CvBridge, CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]
