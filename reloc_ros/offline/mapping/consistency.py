"""Whether a model agrees with the matches that it was made from, pair by pair, and which of its images do.

COLMAP reports the error of the observations that it kept. A folded model has few of them and a small error; what
gives it away are the matches that it could not keep: pairs of images that surely see the same things, verified by
two-view geometry, whose matches do not lie on each other's epipolar lines under the model's poses.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.matching.features import VerifiedPair
from reloc_ros.offline.model.sfm import SfmModel

Array = NDArray[np.float64]
MIN_MATCHES = 30
"""Of a pair that has a say."""
MAX_EPIPOLAR_SHARE = 0.006
"""A match agrees within this share of the image's width: COLMAP's own 4 pixels at 640."""
AGREES, DISAGREES = 0.6, 0.3
"""Shares of a pair's matches. On rendered walks, right maps had no pair under 0.84 and folded ones few above 0.3."""
NEAR_IN_ORDER = 2
"""Images no farther apart in the order they were taken in see the same things, whatever else looks alike."""
MAX_DROPPED_SHARE = 0.05
"""Of a model's images: so few in the wrong place are left out, more mean that the model is not to be believed."""
MIN_ORDERED_SHARE = 0.8
"""Images are in the order of a walk if so many of all next ones match."""
FAR_STEP = 6.0
"""So many times as long as those around it, or they on one side of it as on the other, a step is odd: on right maps of
rendered walks 1.8 at most, 4.4 where a piece of the walk was left out; on folded ones 6.6 to 50."""
MIN_HOLDING = 60
"""Points that hold what lies beyond an odd step where it is; on right maps of rendered walks 200 at the very least.
A third of what an image sees is enough, too: a model that one has may hold few points, or none."""
MAX_ODD_SHARE = 0.1
"""Of steps, beyond the four that one jump makes odd: no points hold a model whose scale runs away as often as that."""
_AROUND = 5
"""Steps on either side of one that it is compared with."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the verified pairs of a model's images fit its poses. P pairs, I images."""

    pairs: NDArray[np.int64]
    """(P, 2) indices of the model's images."""
    matches: NDArray[np.int64]
    """(P,) verified matches of each pair."""
    shares: Array
    """(P,) the share of them that lies on the epipolar lines, in front of both cameras."""
    is_near: NDArray[np.bool_]
    """(P,) taken right after one another, in images that are in the order of a walk."""
    parts: tuple[NDArray[np.int64], ...]
    """Images that agree with each other, the largest part first; together they are all images."""
    odd_steps: tuple[OddStep, ...] = ()
    """Where walks jump and nothing confirms it; the parts end there unless points hold both sides."""

    @property
    def kept(self) -> NDArray[np.int64]:
        """Indices of the images in the largest part."""
        return self.parts[0]

    @property
    def is_folded(self) -> bool:
        """So many images disagree with the largest part that it may lie upon its like itself."""
        images = sum(map(len, self.parts))
        return are_too_many(images - len(self.kept), images)


def are_too_many(dropped: int, images: int) -> bool:
    """Whether more images disagree than may simply be left out; a single one may in any case."""
    return dropped > max(1, MAX_DROPPED_SHARE * images)


def measure_agreement(
    model: SfmModel, verified: Sequence[VerifiedPair], groups: Sequence[Sequence[str]]
) -> Agreement:
    """Compare a model with the pairs that two-view geometry verified.

    Args:
        groups: names of the images that were taken in one go, in their order.
    """
    index = {name: i for i, name in enumerate(model.names)}
    known = [
        pair for pair in verified if index.keys() >= set(pair.names) and len(pair.first_px) >= MIN_MATCHES
    ]
    pairs = np.array([[index[name] for name in pair.names] for pair in known], np.int64).reshape(-1, 2)
    matches = np.array([len(pair.first_px) for pair in known], np.int64)
    shares = np.array([_agreeing_share(model, pair, *ab) for pair, ab in zip(known, pairs, strict=True)])
    places = places_in_order(verified, groups)
    is_near = np.array([0 < order_distance(places, pair.names) <= NEAR_IN_ORDER for pair in known], bool)
    weights = np.where(shares >= AGREES, matches, np.where(shares < DISAGREES, -matches, 0))
    if (is_near & (shares < DISAGREES)).any():
        weights *= is_near  # in a folded model things lie upon their likes, and agree with them
    elif is_near.any():  # things that repeat match wherever they are; the order of the walk is obeyed
        weights = np.maximum(weights, 0)
    parts = consistent_parts(len(model.names), pairs, weights)
    parts = _joined_unless_contradicted(parts, pairs[weights < 0])
    agreeing = {frozenset(known[row].names) for row in np.flatnonzero(shares >= AGREES)}
    steps = odd_steps(model, places)  # in a folded model points may hold one whose images do not agree
    sure = [frozenset(step.names) in agreeing and _hold_its_length(model, places, step) for step in steps]
    steps = [step for step, is_sure in zip(steps, sure, strict=True) if not is_sure]
    parts = _without(parts, beyond_odd_steps(model, places, steps))
    return Agreement(pairs, matches, shares, is_near, parts, tuple(steps))


def consistent_parts(
    count: int, pairs: NDArray[np.int64], weights: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """Part images so that those joined agree: correlation clustering by greedy additive edge contraction.

    The two parts with the most for each other are joined, over and over, until only those are left that have more
    against each other than for: Keuper et al., "Efficient Decomposition of Image and Mesh Graphs by Lifted
    Multicuts" (ICCV 2015), algorithm 1.

    Args:
        count: number of images.
        pairs: (P, 2) images.
        weights: (P,) how much is for (positive) or against (negative) the two being in one part.
    """
    towards: list[dict[int, int]] = [{} for _ in range(count)]
    for (a, b), weight in zip(pairs.tolist(), weights.tolist(), strict=True):
        for one, other in ((a, b), (b, a)):
            towards[one][other] = towards[one].get(other, 0) + weight
    members = [[image] for image in range(count)]
    heap = [(-w, a, b) for a, others in enumerate(towards) for b, w in others.items() if a < b and w > 0]
    heapq.heapify(heap)
    while heap:
        negated, a, b = heapq.heappop(heap)
        if towards[a].get(b) != -negated:  # one of them has been joined with another since
            continue
        if len(towards[a]) < len(towards[b]):
            a, b = b, a
        members[a] += members[b]
        members[b] = []
        del towards[a][b], towards[b][a]
        for other, weight in towards[b].items():
            joined = towards[a].get(other, 0) + weight
            towards[a][other] = towards[other][a] = joined
            del towards[other][b]
            if joined > 0:
                heapq.heappush(heap, (-joined, min(a, other), max(a, other)))
        towards[b] = {}
    parts = sorted((sorted(images) for images in members if images), key=lambda part: (-len(part), part))
    return tuple(np.array(part, np.int64) for part in parts)


def _joined_unless_contradicted(
    parts: Sequence[NDArray[np.int64]], contradictions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], ...]:
    """The parts, with those joined to the largest that nothing speaks against: they merely have few matches."""
    against = set(contradictions.ravel().tolist())
    apart = [part for part in parts[1:] if not against.isdisjoint(part.tolist())]
    joined = [part for part in parts[1:] if against.isdisjoint(part.tolist())]
    return (np.sort(np.concatenate([parts[0], *joined])), *apart)


def _without(parts: Sequence[NDArray[np.int64]], beyond: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """The parts, each without the images that odd steps part from it; these are a part of their own."""
    cut = [part[side[part]] for side in (~beyond, beyond) for part in parts]
    return tuple(sorted(filter(len, cut), key=len, reverse=True))


def _agreeing_share(model: SfmModel, pair: VerifiedPair, first: int, second: int) -> float:
    """The share of matches within reach of their epipolar line and in front of both cameras."""
    rays = [
        np.column_stack([model.camera(image).unproject(px), np.ones(len(px))])
        for image, px in ((first, pair.first_px), (second, pair.second_px))
    ]
    second_from_first = model.camera_from_map[second] @ model.camera_from_map[first].inverse()
    camera = model.camera(first)
    errors = _epipolar_errors(*rays, second_from_first.rotation, second_from_first.translation)
    return float(np.mean(errors <= MAX_EPIPOLAR_SHARE * camera.width / camera.fx))


def _epipolar_errors(rays: Array, other_rays: Array, rotation: Array, translation: Array) -> Array:
    """(M,) Sampson distances on the plane z = 1; infinite where the two rays meet behind a camera.

    Hartley and Zisserman, "Multiple View Geometry" (2004), equation 11.9.
    """
    turned = rays @ rotation.T
    lines, other_lines = np.cross(translation, turned), np.cross(other_rays, translation) @ rotation
    scale = np.sqrt((lines[:, :2] ** 2).sum(axis=1) + (other_lines[:, :2] ** 2).sum(axis=1))
    errors = np.abs((other_rays * lines).sum(axis=1)) / np.maximum(scale, 1e-12)
    normals = np.cross(other_rays, turned)
    depths = -(normals * np.cross(other_rays, translation)).sum(axis=1)  # up to a positive factor
    other_depths = -(normals * np.cross(turned, translation)).sum(axis=1)
    # Rays that are nearly parallel meet far away, on either side.
    parallel = (normals**2).sum(axis=1) < 1e-6
    return np.where(parallel | ((depths > 0) & (other_depths > 0)), errors, np.inf)


def places_in_order(
    pairs: Sequence[VerifiedPair], groups: Sequence[Sequence[str]]
) -> dict[str, tuple[int, int]]:
    """The group and the place in it of each image that was taken in the order of a walk: next ones match there."""
    verified = {frozenset(pair.names) for pair in pairs}
    places: dict[str, tuple[int, int]] = {}
    for number, names in enumerate(groups):
        steps = [frozenset(step) in verified for step in itertools.pairwise(names)]
        if steps and np.mean(steps) >= MIN_ORDERED_SHARE:
            places |= {name: (number, at) for at, name in enumerate(names)}
    return places


def order_distance(places: Mapping[str, tuple[int, int]], names: tuple[str, str]) -> float:
    """How many images farther on one of two was taken; zero if nothing tells, as they are of different groups."""
    if names[0] not in places or names[1] not in places:
        return 0
    (group, at), (other_group, other_at) = (places[name] for name in names)
    return abs(at - other_at) if group == other_group else 0


@dataclass(frozen=True)
class OddStep:
    """Two images, taken one after the other, where the camera's step is not like those around it."""

    names: tuple[str, str]
    ratio: float
    """How many times as long it is, or the steps on one side of it as those on the other."""


def odd_steps(model: SfmModel, places: Mapping[str, tuple[int, int]]) -> list[OddStep]:
    """Where a walk jumps, or goes on at another scale.

    Args:
        places: of `places_in_order`.
    """
    found = []
    for rows in _walks(model, places):
        taken = np.array([places[model.names[row]][1] for row in rows])
        steps = np.linalg.norm(np.diff(model.centers_map[rows], axis=0), axis=1) / np.diff(taken)
        steps = np.maximum(steps, 0.1 * np.median(steps)) + 1e-12  # one may stand still
        ratios = np.array([_oddness(steps, at) for at in range(len(steps))])
        for at in np.flatnonzero(ratios >= FAR_STEP):
            found.append(OddStep((model.names[rows[at]], model.names[rows[at + 1]]), float(ratios[at])))
    return found


def _hold_its_length(model: SfmModel, places: Mapping[str, tuple[int, int]], step: OddStep) -> bool:
    """Whether enough points are seen by two images on either side of a step: only they know its length."""
    (walk, last), (_, first) = (places[name] for name in step.names)
    seen = []
    for side in (range(last - NEAR_IN_ORDER + 1, last + 1), range(first, first + NEAR_IN_ORDER)):
        beside = {name for name, (of, at) in places.items() if of == walk and at in side}
        near = np.array([name in beside for name in model.names])
        rows = near[model.observation_image]
        seen.append(np.bincount(model.observation_point[rows], minlength=len(model.points_map)))
    return np.count_nonzero(np.minimum(*seen) >= 2) >= MIN_HOLDING


def beyond_odd_steps(
    model: SfmModel, places: Mapping[str, tuple[int, int]], steps: Sequence[OddStep]
) -> NDArray[np.bool_]:
    """(I,) images of the stretches of a walk that too few points hold where they are, seen from its longest one."""
    ends = {step.names[0] for step in steps}
    beyond = np.zeros(len(model.names), dtype=bool)
    of_image = np.bincount(model.observation_image, minlength=len(model.names))
    runs_away = len(steps) > 4 + MAX_ODD_SHARE * len(model.names)
    enough = np.inf if runs_away else min(MIN_HOLDING, float(np.median(of_image)) / 3)
    for rows in _walks(model, places):
        stretch = np.zeros(len(model.names), np.int64)  # 0 for the images of other walks, and of none
        stretch[rows] = 1 + np.cumsum([0, *(model.names[row] in ends for row in rows[:-1])])
        seen = np.zeros((len(model.points_map), stretch.max() + 1), np.int32)
        np.add.at(seen, (model.observation_point, stretch[model.observation_image]), 1)
        held = np.zeros(stretch.max() + 1, dtype=bool)
        held[[0, 1 + np.bincount(stretch[rows] - 1).argmax()]] = True
        more = ~held
        while more.any():
            of_held = seen[:, held].sum(axis=1)[:, None]
            # A point that one image alone sees on either side tells a direction, and no distance.
            shared = ((of_held >= 1) & (seen >= 1) & (of_held + seen >= 3)).sum(axis=0)
            more = ~held & (shared >= enough)
            held |= more
        beyond |= ~held[stretch]
    return beyond


def _walks(model: SfmModel, places: Mapping[str, tuple[int, int]]) -> list[NDArray[np.int64]]:
    """The images of each walk, in its order."""
    placed = sorted((*places[name], row) for row, name in enumerate(model.names) if name in places)
    walks = itertools.groupby(placed, key=lambda entry: entry[0])
    return [np.array([row for *_, row in walk]) for _, walk in walks]


def _oddness(steps: Array, at: int) -> float:
    before, after = steps[max(0, at - _AROUND) : at], steps[at + 1 : at + 1 + _AROUND]
    around = np.concatenate([before, after])
    if len(around) < _AROUND:
        return 1.0
    odd = float(steps[at] / np.median(around))
    if min(len(before), len(after)) >= 3:
        change = float(np.median(after[:3]) / np.median(before[-3:]))
        odd = max(odd, change, 1 / change)
    return odd
