"""Files and folders that appear whole or not at all, alone or several together.

Every artifact is written beside its target under a temporary name and then renamed, so that a reader never
meets half a file and Ctrl-C never damages what was there before.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STAGED = ".staged"
_COMMITTED = ".committed"
_BESIDE = re.compile(r"\.(?P<kind>new|old)-(?P<process>\d+)-[0-9a-f]{8}-(?P<target>.+)", re.DOTALL)
"""What stands beside a target, and whose process put it there."""


@contextlib.contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; it takes the target's place when the block succeeds.

    The block creates a file or a folder at the yielded path, whose name ends as the target's does, so that
    writers that look at the suffix behave. When the block raises, the temporary is removed and the target
    is untouched. A file replaces its target in one step, and a link, not what it leads to. A folder that replaces
    a folder does so in two: a crash between them leaves the old one beside it as `.old-*`, never a mixture. What a
    killed process left of such a target is cleared away, or put back, by the next that writes it.
    """
    target = Path(target)
    temporary = _new_beside(target)
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(f"nothing was written to {temporary} for {target}")
        if temporary.is_dir():
            _replace_folder(temporary, target)
        else:
            _flush_to_disk(temporary)
            temporary.replace(target)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def scratch_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside a target, for what is needed until that is written; it is gone after the block.

    What a killed process left of it is cleared away by the next that writes such a target.
    """
    folder = _new_beside(Path(target))
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(target: str | Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block succeeds, all files in it take the place of those in `folder` together.

    Renaming the yielded folder is what decides: stopped before that, nothing has changed; stopped after it,
    `finish_commit` moves the rest the next time.
    """
    finish_commit(folder)
    new = folder / _STAGED
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        new.rename(folder / _COMMITTED)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    finish_commit(folder)


def finish_commit(folder: Path) -> None:
    """Move what a commit that was stopped half-way left behind to its place; another process may be at it, too."""
    committed = folder / _COMMITTED
    with contextlib.suppress(FileNotFoundError):
        for file in sorted(committed.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                file.replace(folder / file.name)
        committed.rmdir()


def _flush_to_disk(file: Path) -> None:
    """Robots lose power: without this the rename can reach the disk before the contents."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _replace_folder(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.rename(target)
        return
    old = _beside(target, "old")
    target.rename(old)
    temporary.rename(target)
    _remove(old)


def _new_beside(target: Path) -> Path:
    """A path for what is to come, without what killed processes left there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    return _beside(target, "new")


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{kind}-{os.getpid()}-{secrets.token_hex(4)}-{target.name}")


def _clear_leftovers(target: Path) -> None:
    for left in list(target.parent.iterdir()):
        named = _BESIDE.fullmatch(left.name)
        if named is None or named["target"] != target.name or _is_running(int(named["process"])):
            continue
        with contextlib.suppress(OSError):  # another user's, or another process is at it, too
            if named["kind"] == "old" and not target.exists():
                left.rename(target)
            else:
                _remove(left)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
