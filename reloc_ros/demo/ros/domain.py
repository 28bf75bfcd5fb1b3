"""A ROS domain for a measurement, a demo or a test, on a machine where others may run the same."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from reloc_ros.errors import RelocError

DOMAINS = 101
"""From 1; above it, the ports are those that Linux hands out to others."""

_claims: list[int] = []
"""File descriptors; each is locked for as long as it is open."""


def claim_domain() -> int:
    """Set ROS_DOMAIN_ID to one that no other caller on this machine has, until this process ends; this machine only.

    Call it before there is any node. Numbers drawn by chance, or by process id, meet now and then, and then one test
    hears another's transforms.

    Raises:
        RelocError: all are taken.
    """
    folder = Path(tempfile.gettempdir())
    for step in range(DOMAINS):
        domain = 1 + (os.getpid() + step) % DOMAINS
        try:
            claim = os.open(folder / f"reloc_ros_domain_{domain}.lock", os.O_RDWR | os.O_CREAT)
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(claim)
            continue
        _claims.append(claim)
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        os.environ.pop("ROS_STATIC_PEERS", None)
        return domain
    raise RelocError(f"all {DOMAINS} ROS domains are in use by demos and tests on this machine")
