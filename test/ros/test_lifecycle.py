"""The node's states, over DDS, as a lifecycle manager drives them."""

from __future__ import annotations

import random
import signal
import sys
import time

import numpy as np
import pytest
from node_process import NodeProcess, Peer, tracking
from reloc_ros.srv import LoadBundle, Relocalize
from table_bundle import CAMERA, view

from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.errors import RelocError
from reloc_ros.ros.control.manager_bond import bond_class

TRANSITIONS = {
    "unconfigured": {"configure": "inactive", "shutdown": "finalized"},
    "inactive": {"activate": "active", "cleanup": "unconfigured", "shutdown": "finalized"},
    "active": {"deactivate": "inactive", "shutdown": "finalized"},
    "finalized": {},
}
BREAKS_THE_NETWORK = np.full((CAMERA.height, CAMERA.width, 3), 255, np.uint8)
"""Beyond the end of the test network's table: its engine raises."""


def because(reason: str):
    return lambda status: status.reason == reason


@pytest.fixture
def managed(start_node):
    return start_node(autostart=False)


def test_each_state_does_what_it_says(managed: NodeProcess, peer: Peer):
    peer.wait_for_status(because("not_configured"))
    assert peer.lifecycle() == "unconfigured"
    assert not peer.change("activate")
    assert peer.change("configure")
    assert peer.wait_for_status(because("not_active")).backend.startswith("onnx (CPU")
    assert peer.node.count_subscribers("/image") == 0
    for _ in range(2):
        assert peer.change("activate")
        peer.show(view(5), tracking)
        assert peer.change("deactivate")
        peer.wait_for(lambda: peer.node.count_subscribers("/image") == 0, "the end of the subscription")
        assert peer.statuses[-1].reason == "not_active"
    threads = managed.threads
    assert peer.change("cleanup")
    assert peer.lifecycle() == "unconfigured"
    assert managed.threads <= threads
    assert peer.change("configure")
    assert peer.change("activate")
    peer.show(view(5), tracking)
    assert peer.change("shutdown")
    assert peer.lifecycle() == "finalized"
    assert managed.stop() == 0
    assert "Traceback" not in managed.output


def test_what_cannot_be_configured_stays_unconfigured_and_says_why(start_node, peer: Peer, table_bundle):
    node = start_node(autostart=False, bundle="/nowhere")
    assert not peer.change("configure")
    assert peer.lifecycle() == "unconfigured"
    assert "/nowhere is not a folder" in peer.wait_for_status(because("failed")).detail
    assert peer.set_parameter("bundle", str(table_bundle)) == (True, "")
    assert peer.set_parameter("tf_mode", "map_moon")[0] is False
    assert peer.set_parameter("bond", True)[0]
    assert peer.change("configure")
    assert peer.change("activate")
    peer.show(view(5), tracking)
    refused, reason = peer.set_parameter("backend", "torch")
    assert (refused, "clean the node up first" in reason) == (False, True)

    # The engine fails at work: back to unconfigured, with the reason, and no harm done.
    peer.show(BREAKS_THE_NETWORK, because("failed"))
    assert peer.lifecycle() == "unconfigured"
    assert peer.statuses[-1].detail
    assert peer.change("configure")
    assert peer.change("activate")
    peer.show(view(5), tracking)
    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_what_cannot_be_activated_leaves_nothing_at_work(start_node, peer: Peer):
    wrong = ("-p", "qos_overrides./image.subscription.reliability:=some")
    node = start_node(autostart=False, arguments=wrong)
    assert peer.change("configure")
    counted = []
    for _ in range(3):
        assert not peer.change("activate")
        assert peer.lifecycle() == "inactive"
        counted.append(node.threads)
    assert "got 'some'" in peer.wait_for_status(because("failed")).detail
    assert counted[1:] == counted[:1] * 2
    peer.wait_for(lambda: peer.node.count_subscribers("/camera_info") == 0, "the end of the subscription")
    assert peer.call(Relocalize, "/reloc/relocalize").reason == "not_active"
    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_a_single_image_that_breaks_the_work_costs_itself(start_node, peer: Peer):
    node = start_node(lost_after=5, silence_timeout_s=5.0)
    for _ in range(3):  # never as many in a row as end the node
        peer.show(view(5), tracking)
        for _ in range(3):
            header = peer.publish_image(BREAKS_THE_NETWORK).header
            failed = peer.wait_for_status(lambda status, header=header: status.header == header)
            assert failed.reason == "image_failed" and "work on the image failed" in failed.detail
            assert not failed.pose_published
    status = peer.show(view(5), tracking)
    assert status.frames_lost >= 9
    assert node.stop() == 0
    assert "Traceback" not in node.output


def test_a_node_that_started_by_itself_ends_when_it_cannot_go_on(start_node, peer: Peer):
    node = start_node()
    peer.show(view(5), tracking)

    def ended() -> bool:
        peer.publish_image(BREAKS_THE_NETWORK)
        time.sleep(0.05)
        return node.process.poll() is not None

    peer.wait_for(ended, "the end")
    assert node.exit_code() == 1
    assert "Traceback" in node.output  # a defect, for those who can mend it


def test_the_bond_beats_while_active_and_ends_with_a_farewell(start_node, peer: Peer):
    pytest.importorskip("bondpy.bondpy", reason="the package bondpy is not installed")
    bond = pytest.importorskip("bond.msg")
    beats = peer.listen(bond.Status, "/bond", 100)
    start_node(autostart=False, bond=True)
    assert peer.change("configure")
    assert not beats
    assert peer.change("activate")
    peer.wait_for(lambda: len(beats) >= 3, "three heartbeats")
    assert {(beat.id, beat.active) for beat in beats} == {("reloc", True)}
    assert len({beat.instance_id for beat in beats}) == 1
    # As Nav2's manager has it: who is told that the other end goes, says so too.
    manager = peer.publisher(bond.Status, "/bond")
    assert peer.change("deactivate")
    peer.wait_for(lambda: not beats[-1].active, "the farewell")
    manager.publish(bond.Status(id="reloc", instance_id="manager", active=False))
    peer.wait_for(lambda: peer.node.count_publishers("/bond") == 1, "the end of the bond")
    assert peer.change("activate")
    peer.wait_for(lambda: beats[-1].active, "a new bond")
    assert len({beat.instance_id for beat in beats if beat.instance_id != "manager"}) == 2


def test_a_bond_without_its_package_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "bondpy.bondpy", None)
    with pytest.raises(RelocError, match=r"install it, or set bond to false and .* bond_timeout to 0\.0"):
        bond_class()


def test_cleanup_gives_the_memory_of_a_real_map_back(start_node, peer: Peer):
    node = start_node(autostart=False, bundle=str(EMBEDDED_BUNDLE))
    peer.wait_for_status(because("not_configured"))
    before_mb = node.rss_mb
    assert peer.change("configure")
    configured_mb = node.rss_mb
    assert peer.change("cleanup")
    assert configured_mb - before_mb > 60
    assert configured_mb - node.rss_mb > 0.4 * (configured_mb - before_mb)


def test_a_map_that_is_loaded_again_and_again_takes_the_memory_of_one(start_node, peer: Peer):
    node = start_node(autostart=False, bundle=str(EMBEDDED_BUNDLE))
    assert peer.change("configure")
    once_mb = node.rss_mb
    for _ in range(10):
        assert peer.call(LoadBundle, "/reloc/load_bundle", bundle=str(EMBEDDED_BUNDLE)).success
    # The map before may be given back just after the answer.
    peer.wait_for(lambda: node.rss_mb < once_mb + 60, "the memory of one map")


def test_a_thousand_transitions_in_every_order_end_in_the_state_they_should(managed: NodeProcess, peer: Peer):
    """Images come all the time; every transition is asked for in every state, possible or not."""
    choice, state, rss_mb = random.Random(0), "unconfigured", []
    labels = ("configure", "activate", "deactivate", "cleanup")
    tried = set()
    for count in range(1000):
        label = choice.choice(labels)
        tried.add((state, label))
        assert peer.change(label) == (label in TRANSITIONS[state]), (count, state, label)
        state = TRANSITIONS[state].get(label, state)
        peer.publish_camera()
        peer.publish_image(view(5))
        if count % 100 == 99:
            assert peer.lifecycle() == state
            rss_mb.append(managed.rss_mb)
    assert len(tried) == 12
    for label in {"unconfigured": ("configure", "activate"), "inactive": ("activate",)}.get(state, ()):
        assert peer.change(label)
    peer.show(view(5), tracking)
    assert max(rss_mb[5:]) < 1.2 * max(rss_mb[:3]), rss_mb
    managed.signal(signal.SIGTERM)
    assert managed.exit_code() == 0
    assert "Traceback" not in managed.output
