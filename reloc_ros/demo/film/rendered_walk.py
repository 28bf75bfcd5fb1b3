"""The stream's pictures: rendered ahead by processes of their own while it plays, and kept for the next time.

`python -m reloc_ros.demo.film.rendered_walk FOLDER RATE_HZ COUNT` renders what a folder lacks.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.demo.film.trajectories import CAMERA, Trajectory, stream
from reloc_ros.demo.scene.faces import Face
from reloc_ros.demo.scene.places import Scene, reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path

Image = NDArray[np.uint8]
QUALITY = 95
"""Of the JPEG pictures."""
WORKERS = 2
_PREFIX = "stream_"
_ROOM = "room.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class RenderedWalk:
    """The stream as a folder of JPEG pictures, in part yet to be rendered."""

    folder: Path
    rate_hz: float
    trajectory: Trajectory

    @staticmethod
    def within(cache_dir: Path, rate_hz: float, seconds: float | None = None) -> RenderedWalk:
        """The walk of the first `seconds` of the stream; older ones, of another scene or code, are removed."""
        try:
            trajectory = stream(rate_hz)
            if seconds is not None:
                trajectory = trajectory.part(slice(max(2, round(seconds * rate_hz))))
            cache_dir.mkdir(parents=True, exist_ok=True)
            for old in cache_dir.glob(f"{_PREFIX}*"):
                if not old.name.startswith(f"{_PREFIX}{_digest()}_"):
                    shutil.rmtree(old, ignore_errors=True)
            folder = cache_dir / f"{_PREFIX}{_digest()}_{rate_hz:g}hz"
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RelocError(f"cannot keep the demo's pictures in {cache_dir}: {error}") from error
        return RenderedWalk(folder, rate_hz, trajectory)

    def __len__(self) -> int:
        return len(self.trajectory)

    def ready(self, known: int = 0) -> int:
        """How many pictures can be played without a gap; `known` of them were there before."""
        while known < len(self) and self._file(known).exists():
            known += 1
        return known if (self.folder / _ROOM).exists() else 0

    def picture(self, index: int) -> Image:
        image = cv2.imread(str(self._file(index)))
        if image is None:
            raise RelocError(f"{self._file(index)} cannot be read; delete {self.folder} and start again")
        return image

    def room(self) -> Scene:
        """The room's shape without its textures: enough for wireframes and depth."""
        with np.load(self.folder / _ROOM) as data:
            blank = np.zeros((8, 8, 3), np.uint8)
            places = zip(data["corners"], data["rights"], data["downs"], strict=True)
            return Scene(tuple(Face("", *vectors, blank) for vectors in places))

    def start_rendering(self) -> subprocess.Popen[bytes]:
        """A process that renders the missing pictures, in order."""
        arguments = (str(self.folder), f"{self.rate_hz:g}", str(len(self)))
        # One thread each: the workers share the machine with the node, and fork before any thread exists.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "reloc_ros.demo.film.rendered_walk", *arguments]
        return subprocess.Popen(command, env=environment, start_new_session=True)

    def render_missing(self, workers: int = WORKERS) -> None:
        scene = reading_corner()
        room = [face for face, mapped in zip(scene.faces, scene.is_room, strict=True) if mapped]
        with atomic_path(self.folder / _ROOM) as temporary, temporary.open("wb") as file:
            corners, rights, downs = (
                np.array([getattr(face, f"{name}_map") for face in room])
                for name in ("corner", "right", "down")
            )
            np.savez(file, corners=corners, rights=rights, downs=downs)
        renderer = Renderer(scene.faces, CAMERA)
        # Forked, so that they need not paint the scene again.
        context = multiprocessing.get_context("fork")
        processes = [
            context.Process(target=self._render_every, args=(renderer, first, workers), daemon=True)
            for first in range(workers)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()

    def _render_every(self, renderer: Renderer, first: int, step: int) -> None:
        for index in range(first, len(self), step):
            if self._file(index).exists():
                continue
            view = renderer.render(self.trajectory.camera_from_map[index])
            image = self.trajectory.exposures[index].record(view.image, seed=index)
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            with atomic_path(self._file(index)) as temporary:
                temporary.write_bytes(data.tobytes())

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:05}.jpg"


@functools.cache
def _digest() -> str:
    """Of the code that makes the pictures."""
    here = Path(__file__)
    hasher = hashlib.sha256()
    for file in (*sorted(here.parents[1].glob("scene/*.py")), here, here.with_name("trajectories.py")):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()[:10]


def stop_rendering(process: subprocess.Popen[bytes]) -> None:
    """End the process and its workers, if they have not ended themselves."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def main(folder: str, rate_hz: str, count: str) -> None:
    cv2.setNumThreads(1)
    RenderedWalk(
        Path(folder), float(rate_hz), stream(float(rate_hz)).part(slice(int(count)))
    ).render_missing()


if __name__ == "__main__":
    main(*sys.argv[1:])
