"""The images with the worst poses: what was found, what was used, and where the landmarks truly are."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from reloc_ros.cameras import Camera
from reloc_ros.geometry import SE3
from reloc_ros.offline.measuring.conditions import CONDITIONS
from reloc_ros.offline.measuring.scores import MAX_POSITION_M, MAX_POSITION_PERCENT, MAX_ROTATION_DEG, Outcome
from reloc_ros.offline.report.collect import Facts
from reloc_ros.offline.report.performance import describe
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
            used = int(outcome.inliers.sum())
            found = len(outcome.keypoints)
            shown.append(
                WorstImage(
                    outcome.name,
                    describe(condition),
                    _verdict(outcome, facts.scored_in_metres),
                    found,
                    used,
                    data_uri(picture, 76),
                )
            )
        if len(shown) == MOST:
            break
    return shown


def _badness(outcome: Outcome, metric: bool) -> float:
    if outcome.reason is not None:
        return 1e9 - int(outcome.inliers.sum())
    position = (
        outcome.position / MAX_POSITION_M if metric else outcome.position_percent / MAX_POSITION_PERCENT
    )
    return max(outcome.rotation_deg / MAX_ROTATION_DEG, position)


def _verdict(outcome: Outcome, metric: bool) -> str:
    if outcome.reason is not None:
        return f"lost, {outcome.reason.replace('_', ' ')}"
    position = f"{100 * outcome.position:.1f} cm" if metric else f"{outcome.position_percent:.2f} %"
    return f"{outcome.rotation_deg:.2f}° and {position} off"


def _picture(facts: Facts, photos: Photos, condition: str, outcome: Outcome) -> Image | None:
    """The image as its condition left it, with keypoints and landmarks; None where it cannot be had."""
    if outcome.name not in facts.model.names or condition not in CONDITIONS or facts.landmarks is None:
        return None
    index = facts.model.names.index(outcome.name)
    camera, true = facts.model.camera(index), facts.model.camera_from_map[index]
    image = photos.read(outcome.name, camera.width, camera.height)
    if image is None:
        return None
    degraded, camera = CONDITIONS[condition](image, camera)
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
