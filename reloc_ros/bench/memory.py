"""How much memory a process holds that does nothing but localize; ours with ONNX Runtime and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reloc_ros.bench.methods import Shot
from reloc_ros.bundle import TORCH_MODEL
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError

if TYPE_CHECKING:
    from reloc_ros.local_features.feature_map import FeatureMap

BACKEND = "onnx"
IMAGES = 3
PASSES = 5
STATUS = Path("/proc/self/status")


class ProcessMemory(NamedTuple):
    """Of a whole process, in 10^6 bytes."""

    now: float
    peak: float


def process_memory_mb(pid: int | str = "self") -> ProcessMemory:
    """What the system says of a process, see proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return ProcessMemory(*(1024e-6 * int(status[field].split()[0]) for field in ("VmRSS", "VmHWM")))


@dataclass(frozen=True)
class Memory:
    """Of the whole process, in 10^6 bytes."""

    name: str
    map_mb: float
    """The files that a robot needs of the place."""
    peak_mb: float
    """The most it ever held, starting included."""
    resident_mb: float
    """What it held when the last image was done."""


def measure_memory(bundle: Path, shots: Sequence[Shot], precision: str, threads: int) -> Memory:
    """Localize a few images by a bundle in a process of its own.

    Raises:
        RelocError: when that process fails, or when the system does not tell a process's memory.
    """
    figures = _of_own_process(shots, bundle, precision, threads)
    files = bundle.iterdir()
    size = sum(file.stat().st_size for file in files if file.name != TORCH_MODEL)
    return Memory(f"{BACKEND} {precision}", 1e-6 * size, **figures)


def measure_feature_memory(name: str, known: FeatureMap, shots: Sequence[Shot]) -> Memory:
    """The same of a baseline, see `bench.place.FEATURES`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "map.npz"
        known.save(file)
        return Memory(name, 1e-6 * file.stat().st_size, **_of_own_process(shots, file, name))


def _of_own_process(shots: Sequence[Shot], *how: object) -> dict[str, float]:
    if not STATUS.is_file():
        raise RelocError(f"memory is measured where there is {STATUS}, as on Linux")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shots.npz"
        arrays = {f"image{i}": image for i, (image, _) in enumerate(shots[:IMAGES])}
        cameras = json.dumps([camera.to_json() for _, camera in shots[:IMAGES]])
        np.savez(file, cameras=cameras, **arrays)
        command = [sys.executable, "-m", __name__, str(file), *map(str, how)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RelocError(
            f"memory could not be measured: {last.removeprefix('reloc_ros.errors.RelocError: ')}"
        )
    return json.loads(done.stdout)


def _localize(file: str, place: str, kind: str, threads: str | None = None) -> dict[str, float]:
    """What the process of its own does: `kind` is a precision of a bundle, or a baseline."""
    with np.load(file) as data:
        cameras = [Camera.from_json(entry) for entry in json.loads(str(data["cameras"]))]
        shots = [(data[f"image{i}"], camera) for i, camera in enumerate(cameras)]
    # Each imports what it needs: what the other does is not to be counted.
    if threads is None:
        from reloc_ros.bench.place import FEATURES
        from reloc_ros.local_features.feature_map import FeatureMap
        from reloc_ros.offline.measuring.features import FeatureBaseline

        localizer = FeatureBaseline(FEATURES[kind](), FeatureMap.load(Path(place)))
    else:
        from reloc_ros.localizer import Localizer

        localizer = Localizer.from_bundle(place, BACKEND, threads=int(threads), precision=kind)
    for image, camera in shots * PASSES:
        localizer.localize(image, camera)
    if threads is not None and "torch" in sys.modules:
        raise RelocError("localizing imported torch, which a robot does not need")
    memory = process_memory_mb()
    return {"peak_mb": memory.peak, "resident_mb": memory.now}


if __name__ == "__main__":
    print(json.dumps(_localize(*sys.argv[1:])))
