"""Learn to tell the places of a map apart by the encoder's features of its images."""

# needs torch
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from reloc_ros.bundle import NetworkShape
from reloc_ros.inference.letterbox import Letterbox
from reloc_ros.inference.places import PlaceClassifier, described
from reloc_ros.offline.bundling.quantize import cpu_session
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.measuring.conditions import CONDITIONS
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import read_map_photo
from reloc_ros.offline.progress import Progress

SHOWN_AS = ("clean", "dark", "noise", "blur", "gamma")
"""Each image is shown as taken and, in turn, in another of these."""
SMALLEST = 0.5
"""And in its whole size and this share of it, between which glances are."""
MOST_IMAGES = 1500
"""Of a map with more, so many are shown."""
PENALTY = 1e-3
"""Of the squared weights, for standardized features."""
STEPS = 200


def fit_classifier(
    encoder: Path,
    images_dir: Path,
    model: SfmModel,
    labels: Labels,
    shape: NetworkShape,
    unseen: Sequence[str],
    progress: Progress,
) -> tuple[PlaceClassifier, dict[str, Any]]:
    """What tells places apart, and how well: an image is of each place by its share of the landmarks that it sees.

    Args:
        encoder: the exported model.
        unseen: images that are not learned from, by which is told how often the first look is at the right place.
    """
    seen = labels.visibility == Visibility.SEEN
    starts = np.cumsum((0, *shape.places[:-1]))
    counts = np.add.reduceat(seen, starts, axis=1, dtype=np.int64)
    usable = np.flatnonzero(counts.sum(axis=1) > 0)
    rows = usable[evenly(len(usable), MOST_IMAGES)]
    session = cpu_session(encoder)
    row_in_model = {name: row for row, name in enumerate(model.names)}
    described_, of_row = [], []
    for done, row in enumerate(rows):
        index = row_in_model[labels.names[row]]
        photo, camera = read_map_photo(images_dir, model, index), model.camera(index)
        for condition in ("clean", SHOWN_AS[done % len(SHOWN_AS)]):
            degraded, as_shown = CONDITIONS[condition](photo, camera)
            for size in filter(None, (shape, shape.at(SMALLEST))):
                letterbox = Letterbox(as_shown.width, as_shown.height, size.width, size.height)
                described_.append(described(session.run(None, {"image": letterbox.apply(degraded)[None]})))
                of_row.append(row)
        progress("tell places apart", done + 1, len(rows))
    features, of_row = np.stack(described_), np.array(of_row)
    shares = counts[of_row] / counts[of_row].sum(axis=1, keepdims=True)
    held_out = np.isin(np.array(labels.names)[of_row], list(unseen))
    classifier = _regression(features[~held_out], shares[~held_out])
    first = {at: classifier.likely_of(features[at], 0) for at in np.flatnonzero(held_out)}
    hits = [shares[at].argmax() in places for at, places in first.items()]
    told = {
        "count": len(shape.places),
        "first_look_right": round(float(np.mean(hits)), 4) if hits else None,
        "looked_for_at_first": round(float(np.mean([*map(len, first.values())])), 2) if first else None,
    }
    return classifier, told


def _regression(features: NDArray[np.float32], shares: NDArray[np.float64]) -> PlaceClassifier:
    """Multinomial logistic regression with shares for classes: features (N, C), shares (N, P)."""
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = torch.from_numpy((features - mean) / std).float()
    targets = torch.from_numpy(shares).float()
    weights = torch.zeros((shares.shape[1], features.shape[1]), requires_grad=True)
    biases = torch.zeros(shares.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, biases], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(inputs @ weights.T + biases, targets)
        value = value + PENALTY * (weights**2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    scaled = weights.detach().numpy() / std
    return PlaceClassifier(
        scaled.astype(np.float32), (biases.detach().numpy() - scaled @ mean).astype(np.float32)
    )
