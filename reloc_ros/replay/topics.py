"""Which of a bag's topics are played, and as what."""

from __future__ import annotations

import importlib
import logging

from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

from reloc_ros.errors import RelocError
from reloc_ros.io.bag import Bag, Recorded
from reloc_ros.replay.options import ReplayOptions

logger = logging.getLogger(__name__)


def chosen_topics(bag: Bag, options: ReplayOptions) -> dict[str, Recorded]:
    """The topics to play; those whose type is not installed here are left out, and named."""
    recorded = bag.topics()
    for topic in (*options.topics, *options.remap):
        if topic not in recorded:
            raise RelocError(
                f"the bag {bag.path} has no topic {topic}; it has {', '.join(recorded) or 'none'}"
            )
    for new in options.remap.values():
        try:
            validate_topic_name(new)
        except InvalidTopicNameException as error:
            raise RelocError(f"{new!r} is not a topic name: {str(error).splitlines()[0]}") from error
    chosen = {t: r for t, r in recorded.items() if (not options.topics or t in options.topics) and r.count}
    if options.clock_hz and options.remap.get("/clock", "/clock") == "/clock":
        chosen.pop("/clock", None)  # two clocks would run against each other
    for topic, each in list(chosen.items()):
        if message_class(each.message_type) is None:
            logger.warning("%s is not played: its type %s is not installed", topic, each.message_type)
            del chosen[topic]
    if not chosen:
        raise RelocError(f"the bag {bag.path} has no messages to play")
    if options.start_s > bag.duration_s:
        raise RelocError(f"the bag is {bag.duration_s:.1f} s long; it cannot start at {options.start_s:g} s")
    return chosen


def message_class(message_type: str) -> type | None:
    """The class of a type as it is recorded, such as sensor_msgs/msg/Image; None where that is not installed."""
    package, _, name = message_type.replace("/", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(package), name, None)
    except ImportError:
        return None


def is_latched(recorded: Recorded) -> bool:
    """Whether who comes late is to get it too."""
    return recorded.topic.endswith("/tf_static") if recorded.latched is None else recorded.latched
