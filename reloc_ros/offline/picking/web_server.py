"""A viser server at the port that was asked for, or a refusal.  (viser)"""

from __future__ import annotations

import contextlib
import io
import socket

import viser

from reloc_ros.errors import RelocError


def quietly() -> contextlib.AbstractContextManager[object]:
    """While it starts and stops, viser prints: whoever called says better where it is."""
    return contextlib.redirect_stdout(io.StringIO())


def serve(host: str, port: int) -> viser.ViserServer:
    """A server at just this port: viser would take the next free one without a word."""
    try:
        with socket.create_server((host, port)) as probe:
            port = probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        raise RelocError(
            f"cannot serve at port {port} of {host}: {error}; choose others with --port, --host"
        ) from error
    with quietly():
        server = viser.ViserServer(host=host, port=port, verbose=False)
    if server.get_port() != port:
        server.stop()
        raise RelocError(f"cannot serve at port {port} of {host}: it is in use; choose another with --port")
    return server
