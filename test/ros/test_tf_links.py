"""Who is whose parent, from what is heard."""

from __future__ import annotations

from reloc_ros.ros.tf.links import MEMORY_S, OWN_MESSAGES, Link, Links


def test_a_changing_link_is_forgotten_when_it_is_not_repeated_and_a_static_one_never():
    links = Links()
    links.heard("odom", "base", 10.0, static=False)
    links.heard("base", "camera", 10.0, static=True)
    assert links.parent_of("base", 10.0 + MEMORY_S) == Link("odom", False, 10.0)
    assert links.parent_of("base", 10.1 + MEMORY_S) is None
    assert links.parent_of("camera", 1e6) == Link("base", True, 10.0)
    assert links.parent_of("odom", 10.0) is None


def test_a_changing_link_does_not_hide_a_static_one():
    links = Links()
    links.heard("base", "camera", 0.0, static=True)
    links.heard("elsewhere", "camera", 1.0, static=False)
    assert links.parent_of("camera", 1.0).parent == "base"


def test_ancestors_go_to_the_root_and_end_in_a_loop():
    links = Links()
    for parent, child in (("map", "odom"), ("odom", "base"), ("base", "camera")):
        links.heard(parent, child, 0.0, static=False)
    assert links.ancestors_of("camera", 0.0) == ["base", "odom", "map"]
    links.heard("camera", "map", 0.0, static=False)
    assert links.ancestors_of("camera", 0.0) == ["base", "odom", "map", "camera"]


def test_after_a_restart_what_was_known_counts_as_just_heard():
    links = Links()
    links.heard("odom", "base", 100.0, static=False)
    links.restart(3.0)
    assert links.parent_of("base", 3.0 + MEMORY_S) is not None
    assert links.parent_of("base", 3.1 + MEMORY_S) is None


def test_own_messages_are_known_again_for_a_while():
    links = Links()
    for number in range(OWN_MESSAGES + 5):
        links.sending(("odom", number))
    assert not links.is_own(("odom", 4))
    assert links.is_own(("odom", 5))
    assert links.is_own(("odom", OWN_MESSAGES + 4))


def test_who_comes_after_knows_what_the_one_before_has_sent():
    former, links = Links(), Links()
    former.sending("of the one before")
    links.sending("its own")
    links.inherit(former)
    assert links.is_own("of the one before") and links.is_own("its own")
    assert not former.is_own("its own")
