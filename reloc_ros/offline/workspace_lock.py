"""One command at a time changes a workspace; another one is refused, and told which it waits for."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from reloc_ros.errors import RelocError

_LOCKS = Path("/proc/locks")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a folder, or a file that is made where there is none, for this process alone.

    The lock is the system's, on the folder itself: it ends with the process, however that ends, and leaves nothing
    behind. A file system that knows no such locks, as some of a network do, does without.

    Raises:
        RelocError: another process holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | (0 if path.is_dir() else os.O_CREAT))
    except OSError:  # what cannot be opened is refused where it is read or written
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        who = _holder(descriptor)
        os.close(descriptor)
        raise RelocError(
            f"{path if path.is_dir() else path.parent} is in use by {who}; wait until that has ended, or end it, "
            "and run this command again"
        ) from error
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked_to_be_made(folder: Path) -> Iterator[None]:
    """The same for a folder that may not be there yet, and shall not be if nothing is put into it."""
    is_new = not folder.exists()
    if is_new:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True)
    try:
        with locked(folder):
            yield
    finally:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _holder(descriptor: int) -> str:
    """Whom the system knows to hold the lock, see proc(5); on another computer, or another system, nobody known."""
    inode = os.fstat(descriptor).st_ino
    try:
        for line in _LOCKS.read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode:
                return _told_of(int(words[4]))
    except (OSError, ValueError, IndexError):
        pass
    return "another process"


def _told_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
    if Path(words[0]).name.startswith("python"):
        words = words[1:]
    command = " ".join([Path(words[0]).name, *words[1:]])
    return f"`{command[:100]}` (process {pid})"
