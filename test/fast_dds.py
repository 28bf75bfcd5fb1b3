"""What Fast DDS says of itself where a node could not get what it needs."""

from __future__ import annotations

import os
import re
from pathlib import Path


def port_holders(output: str) -> str:
    """Who has the ports that Fast DDS says it could not lock, without which a node hears nothing; else nothing."""
    told = []
    for name in sorted(set(re.findall(r"Failed init_port (\w+): open_and_lock_file failed", output))):
        lock = Path(f"/dev/shm/{name}_el")
        inode = lock.stat().st_ino if lock.exists() else None
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
        holders = [int(row[4]) for row in rows if "->" not in row and row[5].endswith(f":{inode}")]
        commands = [Path(f"/proc/{pid}/cmdline") for pid in holders]
        shown = [path.read_text().replace("\0", " ") for path in commands if path.exists()]
        told.append(f"{name}: held by {holders} {shown}, this process is {os.getpid()}")
    return "\n".join(told)
