"""The landmarks as a few views show them, with how well the network finds each."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.bundling.calibrate import FAR_PX
from reloc_ros.offline.landmarks.labels import Visibility
from reloc_ros.offline.landmarks.visibility import label_images
from reloc_ros.offline.measuring.scores import Score
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.pictures import Image, Photos, data_uri, patch, tick_marks

PATCHES = 3
PATCH_SIZE = 44
PATCH_SHARE = 0.045
"""Half of a patch's side, as a share of the picture's width."""


@dataclasses.dataclass(frozen=True)
class Found:
    """How the network finds one landmark in the held-out images that show it."""

    hits: int
    shown: int
    strays: int
    """Times it was found elsewhere."""
    error_px: float | None
    """Median over the hits, image pixels."""
    sigma_px: float | None
    """What the network said of them, per axis: the median error of an honest one is 1.18 times that."""

    @property
    def rate(self) -> float | None:
        return self.hits / self.shown if self.shown else None


@dataclasses.dataclass(frozen=True)
class Card:
    """One landmark of the gallery."""

    id: int
    strip: str
    """Its patches side by side, a data URI; empty where no photograph is there."""
    track: int
    """Map images whose features became part of it."""
    seen: int | None
    """Map images that are labelled to show it."""
    cone_deg: float
    found: Found | None


def landmark_cards(facts: Facts, photos: Photos, progress: Progress) -> list[Card]:
    """A card for each landmark, those that are found worst first."""
    assert facts.landmarks is not None
    row_of_id = {point_id: row for row, point_id in enumerate(facts.known.point_ids.tolist())}
    tracks = facts.known.track_lengths
    strips = _strips(facts, photos, progress)
    found = find_rates(facts, facts.ours[0]) if facts.ours else [None] * len(facts.landmarks)
    seen: list[int | None] = [None] * len(facts.landmarks)
    if facts.labels is not None:
        seen = np.count_nonzero(facts.labels.visibility == Visibility.SEEN, axis=0).tolist()
    cards = [
        Card(
            id=int(point_id),
            strip=strips.get(k, ""),
            track=int(tracks[row_of_id[point_id]]) if point_id in row_of_id else 0,
            seen=seen[k],
            cone_deg=float(np.degrees(facts.landmarks.view_cones_rad[k])),
            found=found[k],
        )
        for k, point_id in enumerate(facts.landmarks.ids.tolist())
    ]
    return sorted(cards, key=_badness)


def found_sentence(cards: Sequence[Card]) -> str:
    """How well the network finds them altogether; empty where that was not measured."""
    found = [card.found for card in cards if card.found is not None]
    shown = sum(each.shown for each in found)
    if not shown:
        return ""
    hits, strays = sum(each.hits for each in found), sum(each.strays for each in found)
    return (
        f"The network finds {100 * hits / shown:.0f} % of the {shown:,} landmarks that the held-out images show; "
        f"{100 * strays / max(hits + strays, 1):.0f} % of what it finds is astray."
    )


def _badness(card: Card) -> tuple[float, float, int]:
    rate = card.found.rate if card.found is not None else None
    strays = card.found.strays if card.found is not None else 0
    return (2.0 if rate is None else rate, -strays, card.track)


def find_rates(facts: Facts, score: Score) -> list[Found]:
    """Compare the keypoints of the held-out images with where the landmarks are, as the depth test tells."""
    assert facts.landmarks is not None
    truth = label_images(facts.model, facts.landmarks, "depth")
    shape = (facts.summaries["train"] or {}).get("shape") or {"width": 512}
    hits, strays, shown = np.zeros((3, len(facts.landmarks)), dtype=int)
    errors: dict[int, list[float]] = defaultdict(list)
    sigmas: dict[int, list[float]] = defaultdict(list)
    for outcome in score.outcomes:
        i = facts.row.get(outcome.name)
        if i is None:
            continue
        seen = truth.visibility[i] == Visibility.SEEN
        shown += seen
        far_px = FAR_PX * facts.model.camera(i).width / shape["width"]
        keypoints = outcome.keypoints
        off = np.linalg.norm(keypoints.positions_px - truth.keypoints_px[i, keypoints.landmarks], axis=1)
        for k, error, sigma in zip(keypoints.landmarks.tolist(), off, keypoints.sigmas_px, strict=True):
            if not error < far_px:  # NaN where it is behind the camera
                strays[k] += 1
            elif seen[k]:
                hits[k] += 1
                errors[k].append(float(error))
                sigmas[k].append(float(sigma))
    return [
        Found(int(hits[k]), int(shown[k]), int(strays[k]), _median(errors[k]), _median(sigmas[k]))
        for k in range(len(facts.landmarks))
    ]


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _strips(facts: Facts, photos: Photos, progress: Progress) -> dict[int, str]:
    """The patches of each landmark side by side, by its row; each photograph is read once."""
    assert facts.landmarks is not None
    model = facts.known
    wanted: dict[int, list[tuple[int, int, NDArray]]] = defaultdict(list)
    for k, (views, pixels) in enumerate(_sightings(facts)):
        centers = model.centers_map[views]
        for place, chosen in enumerate(_from_all_sides(facts.landmarks.positions_map[k], centers)):
            wanted[int(views[chosen])].append((k, place, pixels[chosen]))
    patches: dict[int, dict[int, Image]] = defaultdict(dict)
    for done, (view, cuts) in enumerate(sorted(wanted.items())):
        camera = model.camera(view)
        image = photos.read(model, view)
        for k, place, pixel in cuts if image is not None else ():
            patches[k][place] = patch(image, pixel, PATCH_SHARE * camera.width, PATCH_SIZE)
            tick_marks(patches[k][place])
        progress("landmarks", done + 1, len(wanted))
    blank = np.full((PATCH_SIZE, PATCH_SIZE, 3), 128, dtype=np.uint8)
    return {
        k: data_uri(cv2.hconcat([own.get(place, blank) for place in range(PATCHES)]), 72)
        for k, own in patches.items()
    }


def _sightings(facts: Facts) -> list[tuple[NDArray, NDArray]]:
    """Of each landmark the map views (V,) that surely show it and where (V, 2): its own observations."""
    assert facts.landmarks is not None
    model = facts.known
    row_of_id = {point_id: row for row, point_id in enumerate(model.point_ids.tolist())}
    starts = np.searchsorted(model.observation_point, np.arange(len(model.points_map) + 1))
    sightings = []
    for k, point_id in enumerate(facts.landmarks.ids.tolist()):
        row = row_of_id.get(point_id)
        if row is not None:
            span = slice(starts[row], starts[row + 1])
            sightings.append((model.observation_image[span], model.observation_px[span]))
        else:
            sightings.append(_labelled(facts, k))
    return sightings


def _labelled(facts: Facts, k: int) -> tuple[NDArray, NDArray]:
    """The same of a landmark that is no point of the model, from the labels."""
    if facts.labels is None:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 2))
    seen = np.flatnonzero(facts.labels.visibility[:, k] == Visibility.SEEN)
    views = [facts.known.names.index(facts.labels.names[i]) for i in seen]
    return np.array(views, dtype=np.int64), facts.labels.keypoints_px[seen, k]


def _from_all_sides(landmark: NDArray, centers: NDArray) -> list[int]:
    """Up to `PATCHES` of the views (V,), as different in direction as can be, from the nearest on."""
    if len(centers) == 0:
        return []
    rays = centers - landmark
    distances = np.linalg.norm(rays, axis=1)
    rays = rays / np.maximum(distances, 1e-12)[:, None]
    chosen = [int(distances.argmin())]
    while len(chosen) < min(PATCHES, len(centers)):
        nearest = (rays @ rays[chosen].T).max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    return chosen
