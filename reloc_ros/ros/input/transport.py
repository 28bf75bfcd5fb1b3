"""Room for large messages in Fast DDS, ROS 2's default middleware."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reloc_ros.io.atomic import scratch_folder

SEGMENT_BYTES = 16 << 20
"""Five images of 1280x720. It is taken at once, and a container has 64 MB for all its processes by default."""
_VARIABLE, _FORMER_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
"""Since Fast DDS 3 (Kilted), which warns of the other, and before."""
_CHOSEN_BY_USER = (_VARIABLE, _FORMER_VARIABLE, "FASTDDS_BUILTIN_TRANSPORTS")
_PROFILE = f"""<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com">
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>shared_memory</transport_id><type>SHM</type><segment_size>{SEGMENT_BYTES}</segment_size>
      </transport_descriptor>
      <transport_descriptor>
        <transport_id>network</transport_id><type>UDPv4</type>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="large_messages" is_default_profile="true">
      <rtps>
        <userTransports>
          <transport_id>shared_memory</transport_id><transport_id>network</transport_id>
        </userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
      </rtps>
    </participant>
  </profiles>
</dds>
"""


@contextlib.contextmanager
def room_for_large_messages() -> Iterator[None]:
    """Enter it before rclpy.init, in a process that publishes images.

    Fast DDS's default segment of shared memory holds half a VGA image. One that is published takes the place of what
    was sent just before and has not been fetched yet: that is lost, and where it is reliable it comes again when the
    publisher's queue is full, or after three seconds. What the user has set stays.
    """
    is_local = os.environ.get("ROS_LOCALHOST_ONLY") == "1"  # in Humble, that is transports of its own
    if is_local or any(os.environ.get(variable) for variable in _CHOSEN_BY_USER):
        yield
        return
    with scratch_folder(Path(tempfile.gettempdir(), "reloc-transport")) as folder:
        profile = folder / "large_messages.xml"
        profile.write_text(_PROFILE)
        variable = _variable()
        os.environ[variable] = str(profile)
        try:
            yield
        finally:
            os.environ.pop(variable, None)


def _variable() -> str:
    """The one that the Fast DDS beside this ROS reads; its library was renamed as the variable was."""
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return (
        _VARIABLE if any(Path(folder, "libfastdds.so").exists() for folder in folders) else _FORMER_VARIABLE
    )
