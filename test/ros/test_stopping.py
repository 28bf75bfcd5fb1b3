"""Told to end while an engine is being built, which takes minutes and cannot be interrupted."""

from __future__ import annotations

import os
import signal
import time

import pytest
from node_process import Peer, publishing
from reloc_ros.srv import LoadBundle
from table_bundle import make_table_bundle, view

NEVER_LOADS = """
import hashlib, os, threading, time
real = hashlib.sha256
def slow(*words, **options):
    if threading.current_thread().name == os.environ["NEVER_LOADS_ON"]:
        print("loading", flush=True)
        time.sleep(600)
    return real(*words, **options)
hashlib.sha256 = slow
"""
PROMPT_S = 60.0
"""The loading would go on for ten minutes."""


@pytest.fixture
def never_loads_on(monkeypatch, tmp_path):
    """never_loads_on(THREAD): reading a bundle on that thread takes for ever."""

    def on(thread: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(NEVER_LOADS)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        monkeypatch.setenv("NEVER_LOADS_ON", thread)

    return on


def seconds_to_end(node, number: int) -> float:
    start_s = time.monotonic()
    node.signal(number)
    assert node.exit_code() == 0, node.output
    assert "Traceback" not in node.output
    return time.monotonic() - start_s


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_configuring_ends_it_at_once(start_node, never_loads_on, peer: Peer, number):
    never_loads_on("spin")
    node = start_node()
    peer.wait_for(lambda: "loading" in node.output, "the start of the loading")
    assert seconds_to_end(node, number) < PROMPT_S
    assert "stopped while loading" in node.output


def test_a_signal_while_another_bundle_is_loaded_ends_it_at_once(
    start_node, never_loads_on, peer: Peer, tmp_path
):
    never_loads_on("load_0")
    node = start_node(silence_timeout_s=5.0)
    peer.show(view(5), publishing)
    other = make_table_bundle(tmp_path / "other").path
    client = peer.node.create_client(LoadBundle, "/reloc/load_bundle")
    assert client.wait_for_service(10.0)
    client.call_async(LoadBundle.Request(bundle=str(other)))
    peer.wait_for(lambda: "loading" in node.output, "the start of the loading")
    peer.show(view(5), publishing)  # in the present map
    assert seconds_to_end(node, signal.SIGINT) < PROMPT_S
