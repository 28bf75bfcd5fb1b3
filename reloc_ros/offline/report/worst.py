"""The images with the worst poses: what was found, what was used, and where the landmarks truly are."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.measuring.conditions import CONDITIONS, describe
from reloc_ros.offline.measuring.scores import Outcome
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.pictures import (
    BLACK,
    ESTIMATED,
    GREEN,
    RED,
    TRUE,
    Image,
    Photos,
    data_uri,
    ring,
    shrink,
    spot,
)

MOST = 6
WIDTH = 640


@dataclasses.dataclass(frozen=True)
class WorstImage:
    """One image with its worst outcome."""

    name: str
    condition: str
    verdict: str
    found: int
    used: int
    uri: str


def worst_images(facts: Facts, photos: Photos) -> list[WorstImage]:
    """Of each image its worst outcome, the lost ones first, then by the error as a share of what counts as found."""
    worst: dict[str, tuple[float, str, Outcome]] = {}
    for score in facts.ours:
        for outcome in score.outcomes:
            badness = _badness(outcome, facts.scored_in_metres)
            if outcome.name not in worst or badness > worst[outcome.name][0]:
                worst[outcome.name] = (badness, score.condition, outcome)
    shown = []
    for _, condition, outcome in sorted(worst.values(), key=lambda entry: -entry[0]):
        picture = _picture(facts, photos, condition, outcome)
        if picture is not None:
            verdict, used = _verdict(outcome, facts.scored_in_metres), int(outcome.inliers.sum())
            figures = verdict, len(outcome.keypoints), used, data_uri(picture, 76)
            shown.append(WorstImage(outcome.name, describe(condition), *figures))
        if len(shown) == MOST:
            break
    return shown


def _badness(outcome: Outcome, metric: bool) -> float:
    """Of those that were lost, the fewer keypoints agreed the worse."""
    return outcome.excess(metric) if outcome.reason is None else 1e9 - int(outcome.inliers.sum())


def _verdict(outcome: Outcome, metric: bool) -> str:
    if outcome.reason is not None:
        return f"lost, {outcome.reason.replace('_', ' ')}"
    position = f"{100 * outcome.position:.1f} cm" if metric else f"{outcome.position_percent:.2f} %"
    return f"{outcome.rotation_deg:.2f}° and {position} off"


def _picture(facts: Facts, photos: Photos, condition: str, outcome: Outcome) -> Image | None:
    """The image as its condition left it, with keypoints and landmarks; None where it cannot be had."""
    if outcome.name not in facts.row or condition not in CONDITIONS or facts.landmarks is None:
        return None
    index = facts.row[outcome.name]
    true, image = facts.model.camera_from_map[index], photos.read(facts.model, index)
    if image is None:
        return None
    degraded, camera = CONDITIONS[condition](image, facts.model.camera(index))
    small, factor = shrink(degraded, WIDTH)
    drawn = camera.resized(small.shape[1], small.shape[0])
    rows = outcome.keypoints.landmarks
    positions = facts.landmarks.positions_map[rows]
    places = (outcome.keypoints.positions_px + 0.5) * factor - 0.5
    truly = _project(drawn, true, positions)
    for place, true_place, used in zip(places, truly, outcome.inliers, strict=True):
        if np.isfinite(true_place).all():
            ends = (tuple(round(float(v)) for v in end) for end in (place, true_place))
            cv2.line(small, *ends, BLACK, 1, cv2.LINE_AA)
            spot(small, true_place, TRUE, 2)
        ring(small, place, 6, GREEN if used else RED)
    if outcome.camera_from_map is not None and facts.scores_are_current:
        for place in _project(drawn, outcome.camera_from_map, positions[outcome.inliers]):
            if np.isfinite(place).all():
                spot(small, place, ESTIMATED, 1)
    return small


def _project(camera: Camera, camera_from_map: SE3, points: np.ndarray) -> np.ndarray:
    """(N, 2) px, NaN where a landmark is far outside of the picture."""
    pixels = camera.project(camera_from_map.apply(points))
    with np.errstate(invalid="ignore"):
        far = np.abs(pixels - (camera.width / 2, camera.height / 2)).max(axis=1) > 2 * camera.width
    pixels[far] = np.nan
    return pixels
