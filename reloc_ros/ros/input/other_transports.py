"""Images that are there, but in a form which this node does not decode: image_transport's plugins do."""

from __future__ import annotations

from rclpy.node import Node

PLUGINS = {
    "ffmpeg": "ffmpeg_image_transport, H.264 or H.265",
    "h264": "H.264",
    "h265": "H.265",
    "theora": "theora_image_transport",
    "zstd": "zstd_image_transport",
    "compressedDepth": "compressed_depth_image_transport, depth and no picture",
}
OWN = ("raw", "compressed")
"""What the parameter image_transport takes."""


def other_transports(node: Node, image: str, transport: str) -> str:
    """What to do where nobody publishes the images asked for, but the same in another form; empty where there is none.

    Args:
        image: the resolved topic of the raw images.
        transport: the one asked for.
    """
    names = {"raw": image, **{each: f"{image}/{each}" for each in ("compressed", *PLUGINS)}}
    if node.count_publishers(names[transport]):
        return ""
    found = [each for each in names if each != transport and node.count_publishers(names[each])]
    if not found:
        return ""
    there = f"nobody publishes {names[transport]}, but {names[found[0]]} is there"
    if found[0] in OWN:
        return f"{there}: set image_transport to {found[0]}"
    plugin, topic = found[0], names[found[0]]
    return (
        f"{there} ({PLUGINS[plugin]}), which this node does not decode: ros2 run image_transport republish --ros-args "
        f"-p in_transport:={plugin} -p out_transport:=raw -r in/{plugin}:={topic} -r out:={image}"
    )
