"""Stand-in for bondpy, for machines without a ROS distribution: the part of `bondpy.bondpy.Bond` that reloc_ros uses.

Names, arguments and protocol are those of the genuine package; code written against this one runs unchanged against
that one. Not here: waiting until a bond is formed or broken, and the parameter that disables the heartbeat's timeout.
"""
