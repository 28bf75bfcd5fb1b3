"""What is measured: a bundle, and images of its place with true poses that the map has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reloc_ros.bench.methods import SIFT, XFEAT
from reloc_ros.bench.xfeat import XFeat
from reloc_ros.bundle import Bundle
from reloc_ros.errors import RelocError
from reloc_ros.local_features.matching import Features
from reloc_ros.local_features.sift import Sift
from reloc_ros.offline.bundling.gather_features import gather_features
from reloc_ros.offline.measuring.evaluate import Query, held_out_queries
from reloc_ros.offline.measuring.features import FeatureBaseline
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import map_model
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.steps import own_bundle
from reloc_ros.offline.workspace import Workspace

FEATURES: dict[str, Callable[[], Features]] = {SIFT: Sift, XFEAT: XFeat}
"""Of the baselines."""
DEMO_EVERY = 12
"""Frames of the demo's walk from one that is measured to the next: one a second."""


@dataclass(frozen=True, eq=False)
class Place:
    """A bundle, its test images, and what baselines need."""

    name: str
    bundle: Bundle
    queries: tuple[Query, ...]
    images_dir: Path
    known: SfmModel | None
    """The map without the test images; None where there are no images that it was made of."""

    @property
    def metric(self) -> bool:
        return self.bundle.scale == "metric"

    def baseline(self, name: str, progress: Progress = silent) -> FeatureBaseline | None:
        """One of `FEATURES` with its index built, where the map's images are there."""
        if self.known is None:
            return None
        features = FEATURES[name]()
        return FeatureBaseline(
            features, gather_features(features, self.known, self.images_dir, progress).known
        )


def workspace_place(path: Path, images: int | None = None) -> Place:
    """A trained workspace on its held-out photographs, at most `images` of them."""
    workspace = Workspace.open(path)
    model = SfmModel.load(workspace.model_path)
    held_out = workspace.is_held_out(model.names)
    queries = _spread(held_out_queries(model, held_out), images)
    bundle = Bundle.load(own_bundle(workspace))
    return Place(workspace.path.name, bundle, queries, workspace.images_dir, map_model(workspace))


def demo_place(bundle: Path, folder: Path, images: int | None = None, progress: Progress = silent) -> Place:
    """A bundle of the demo's room, on frames of the walk through it, which are rendered into `folder`."""
    from reloc_ros.demo.film.trajectories import CAMERA, stream
    from reloc_ros.demo.scene.places import reading_corner
    from reloc_ros.demo.scene.renderer import Renderer

    walk = stream()
    frames = [i for i in np.flatnonzero(walk.in_view).tolist() if i % DEMO_EVERY == 0]
    queries = _spread([Query(f"{i:04d}.png", CAMERA, walk.camera_from_map[i]) for i in frames], images)
    renderer = Renderer(reading_corner().faces, CAMERA)
    for done, query in enumerate(queries):
        file = folder / query.name
        if not cv2.imwrite(str(file), renderer.render(query.camera_from_map).image):
            raise RelocError(f"cannot write '{file}'; is the disk full?")
        progress("render", done + 1, len(queries))
    return Place("demo", Bundle.load(bundle), queries, folder, None)


def _spread(queries: Sequence[Query], count: int | None) -> tuple[Query, ...]:
    """At most `count` of the queries, evenly spread."""
    if count is None or count >= len(queries):
        return tuple(queries)
    if count < 1:
        raise RelocError(f"at least one image is needed, not {count}")
    return tuple(queries[i] for i in np.linspace(0, len(queries) - 1, count).round().astype(int))
