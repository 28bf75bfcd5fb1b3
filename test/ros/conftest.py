from __future__ import annotations

import pytest

# The fixtures import what they need: without ROS this file is still read, and the tests are left out.


@pytest.fixture(scope="session", autouse=True)
def _logs_of_ros(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_log")))
        yield


@pytest.fixture(scope="session")
def table_bundle(tmp_path_factory):
    """Folder of a bundle whose answers are known; see table_bundle.py."""
    from table_bundle import make_table_bundle

    return make_table_bundle(tmp_path_factory.mktemp("bundle") / "table").path


@pytest.fixture
def context():
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.fixture
def lone_node(context):
    """A node that nothing of ours is in."""
    from rclpy.node import Node

    node = Node("reloc", context=context)
    yield node
    node.destroy_node()


@pytest.fixture
def peer():
    """The other side of the node: publishes images, records what the node says."""
    from node_process import Peer

    peer = Peer()
    yield peer
    peer.close()


_NODES = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A test says nothing of a node to which Fast DDS has given no port: it is skipped, and says who has it."""
    report = yield
    if report.when == "call" and report.failed and item.stash.get(_NODES, ()):
        from fast_dds import port_holders

        if told := port_holders("".join(node.output for node in item.stash[_NODES])):
            path, line, _ = item.location
            report.outcome = "skipped"
            report.longrepr = (path, line or 0, f"Skipped: Fast DDS gave a node no port to listen on: {told}")
    return report


@pytest.fixture
def start_node(table_bundle, tmp_path, request):
    """Start the node's process: start_node(bundle=..., PARAMETER=...); it is ended after the test."""
    from node_process import NodeProcess

    processes: list[NodeProcess] = []
    request.node.stash[_NODES] = processes

    def start(
        *, remap: dict[str, str] | None = None, arguments: tuple[str, ...] = (), **parameters
    ) -> NodeProcess:
        parameters.setdefault("bundle", str(table_bundle))
        parameters.setdefault("backend", "onnx")
        process = NodeProcess(parameters, remap or {}, arguments, tmp_path / f"node{len(processes)}.log")
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        print(process.output)  # shown where the test failed
