"""Several files of a folder that change together, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STAGED = ".staged"
_COMMITTED = ".committed"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block succeeds, the files in it take the place of those in `folder`.

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
    """Move what a commit that was stopped half-way left behind to its place."""
    committed = folder / _COMMITTED
    if not committed.is_dir():
        return
    for file in sorted(committed.iterdir()):
        file.replace(folder / file.name)
    committed.rmdir()
