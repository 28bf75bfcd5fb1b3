"""The policy file for SROS 2 names all that the node opens, and nothing that it never does."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from node_process import DEADLINE_S, NodeProcess, Peer
from table_bundle import make_table_bundle

POLICY = Path(__file__).parents[2] / "config" / "security" / "reloc.policy.xml"
PERHAPS = {"/bond", "/image/compressed"}
"""Opened where Nav2's bondpy is installed, and in place of /image."""


def allowed(kind: str, verb: str) -> set[str]:
    """The full names of topics or services that the policy allows the node."""
    profile = ET.parse(POLICY).getroot().find("enclaves/enclave/profiles/profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", "reloc")
    elements = [one for one in profile.findall(f"{kind}s") if one.get(verb) == "ALLOW"]
    names = [name.text for one in elements for name in one.findall(kind)]
    assert len(names) == len(set(names))
    return {name.replace("~", "/reloc") if name[0] in "~/" else f"/{name}" for name in names}


def test_the_policy_is_what_sros_2_takes():
    """As its schema of version 0.2.0 has it."""
    root = ET.parse(POLICY).getroot()
    assert (root.tag, root.get("version")) == ("policy", "0.2.0")
    assert [enclave.get("path") for enclave in root.findall("enclaves/enclave")] == ["/reloc"]
    kinds = {"topics": ("topic", {"publish", "subscribe"}), "services": ("service", {"reply", "request"})}
    for one in root.find("enclaves/enclave/profiles/profile"):
        inside, verbs = kinds[one.tag]
        assert one.attrib and one.attrib.keys() <= verbs and set(one.attrib.values()) == {"ALLOW"}
        assert len(one) and all(each.tag == inside and each.text.strip() == each.text for each in one)


@pytest.mark.ros
def test_the_node_opens_what_the_policy_allows_it(tmp_path):
    given = {"bundle": str(make_table_bundle(tmp_path / "table", scale="metric").path), "backend": "onnx"}
    given |= {"tf_mode": "map_odom", "publish_odometry": True, "publish_smoothed": True, "use_sim_time": True}
    given |= {"publish_initial_pose": True, "take_initial_pose": True}
    node, peer = NodeProcess(given, {}, (), tmp_path / "node.log"), Peer()
    graph = peer.node
    told = {
        ("topic", "publish"): graph.get_publisher_names_and_types_by_node,
        ("topic", "subscribe"): graph.get_subscriber_names_and_types_by_node,
        ("service", "reply"): graph.get_service_names_and_types_by_node,
    }

    def opened(*what: str) -> set[str]:
        return {name for name, _ in told[what]("reloc", "/")}

    try:
        peer.wait_for(lambda: peer.statuses, "the first status")
        until_s = time.monotonic() + DEADLINE_S
        while (found := {what: opened(*what) for what in told}) and time.monotonic() < until_s:
            if all(allowed(*what) - PERHAPS <= names for what, names in found.items()):
                break
            time.sleep(0.2)
        for what, names in found.items():
            assert names <= allowed(*what), f"{what}: not allowed"
            assert allowed(*what) - PERHAPS <= names, f"{what}: never opened"
    finally:
        node.kill()
        peer.close()
