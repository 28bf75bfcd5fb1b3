"""What this machine's processor computes fast."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

_INT8 = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}
"""Dot products of bytes: x86's VNNI and AMX, ARM's."""
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


@functools.lru_cache(maxsize=1)
def _flags() -> frozenset[str]:
    info = Path("/proc/cpuinfo")
    words = set(info.read_text(encoding="utf-8").split()) if info.is_file() else set()
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        words.add("asimddp")  # every Apple chip; macOS has no /proc
    return frozenset(words)


def has_fast_int8() -> bool:
    """Whether the processor has dot products of bytes; without, they are slower, and on x86 their sums may overflow."""
    return bool(_flags() & _INT8)


def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated, it is slower than float32."""
    return bool(_flags() & _BFLOAT16)
