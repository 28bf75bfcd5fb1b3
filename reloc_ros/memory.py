"""Give memory back to the system, where a large thing was let go of."""

from __future__ import annotations

import ctypes
import gc


def give_back_memory() -> None:
    """Collect what nobody refers to, and have the C library return what it keeps for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)
