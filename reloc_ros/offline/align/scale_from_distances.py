"""Metres from known distances between points of the map, or between points picked in its images."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.agreement import ScaleEstimate, agreeing
from reloc_ros.offline.align.trajectory import match_images
from reloc_ros.offline.model.sfm import MIN_TRIANGULATION_ANGLE_DEG, SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.triangulate_picks import MAX_ERROR_PX, place_point, point_covariance
from reloc_ros.scene_size import extent

Array = NDArray[np.float64]

TAPE_ERROR_M = 0.002
"""A person with a tape is no better than this."""
MAX_SNAP_SHARE = 0.01
"""Given as xyz, a point of the cloud must be this near, as a share of the cloud's extent."""
_PICK = re.compile(r"\s*(\S.*?):\s*(-?[0-9.]+)\s*,\s*(-?[0-9.]+)(?=\s|$)")


@dataclass(frozen=True, eq=False)
class Distance:
    """Two places in the reconstruction and how many metres they are apart."""

    label: str
    ends_sfm: tuple[Array, Array]
    """(3,) each."""
    covariances: tuple[Array, Array]
    """(3, 3) each."""
    metres: float

    @property
    def units(self) -> float:
        return float(np.linalg.norm(self.ends_sfm[1] - self.ends_sfm[0]))

    @property
    def units_error(self) -> float:
        """Standard error of `units`: both covariances along the line between the ends."""
        along = (self.ends_sfm[1] - self.ends_sfm[0]) / self.units
        return float(np.sqrt(along @ (self.covariances[0] + self.covariances[1]) @ along))


def scale_of_distances(distances: Sequence[Distance]) -> ScaleEstimate:
    """The scale that fits known distances best, by weighted least squares; they are checked against each other."""
    units, metres = np.array([d.units for d in distances]), np.array([d.metres for d in distances])
    ratios, labels = metres / units, [distance.label for distance in distances]
    errors_m = np.hypot(TAPE_ERROR_M, ratios * [distance.units_error for distance in distances])
    used = agreeing(ratios, errors_m / units, labels, "distances")
    weights = used / errors_m**2
    information = float(weights @ units**2)
    scale = float(weights @ (units * metres)) / information
    residuals = scale * units - metres
    scatter = float(weights @ residuals**2) / max(1, used.sum() - 1)  # 1 when the errors are as expected
    left_out = [label for label, kept in zip(labels, used, strict=True) if not kept]
    notes = [f"left out, as it contradicts the others: {label}" for label in left_out]
    if len(distances) == 1:
        notes.append("nothing checks a single distance: a second one would")
    return ScaleEstimate(
        "the known distance" if len(distances) == 1 else "known distances",
        scale,
        float(np.sqrt(max(1.0, scatter) / information)),
        int(used.sum()),
        len(distances),
        float(np.sqrt(np.mean(residuals[used] ** 2))),
        tuple(notes),
    )


def distance_of_points(text: str, model: SfmModel, map_from_sfm: Similarity) -> Distance:
    """Parse `A B METRES`, where A and B are ids of points of the model, or x,y,z of one in the present map frame."""
    words = text.split()
    if len(words) != 3:
        raise RelocError(
            f"distance '{text}' is not 'A B METRES' with A and B the ids of two points, or their x,y,z without spaces"
        )
    metres = _metres(text, words[2])
    a, b = (_find_point(text, word, model, map_from_sfm) for word in words[:2])
    if a == b or not np.linalg.norm(model.points_map[a] - model.points_map[b]) > 0:
        raise RelocError(f"distance '{text}' is between a point and itself; name two different ones")
    return Distance(
        text,
        (model.points_map[a], model.points_map[b]),
        (point_covariance(model, a), point_covariance(model, b)),
        metres,
    )


def _find_point(text: str, word: str, model: SfmModel, map_from_sfm: Similarity) -> int:
    if re.fullmatch(r"[0-9]{1,18}", word):
        found = np.flatnonzero(model.point_ids == int(word))
        if len(found) == 0:
            raise RelocError(
                f"distance '{text}': the map has no point {word}, or reloc clean took it out; ids are the property "
                "point_id of the cloud that reloc clean writes"
            )
        return int(found[0])
    try:
        place = np.array([float(number) for number in word.split(",")])
    except ValueError:
        place = np.zeros(0)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise RelocError(f"distance '{text}': '{word}' is neither the id of a point nor its x,y,z")
    points = map_from_sfm.apply(model.points_map)
    gap, nearest = cKDTree(points).query(place)
    if gap > MAX_SNAP_SHARE * extent(points):
        raise RelocError(
            f"distance '{text}': the nearest point of the cloud is {gap:.3g} from {word}; pick points of the cloud as "
            "it is now, after the last alignment, or give their ids"
        )
    return int(nearest)


def distance_of_picks(text: str, model: SfmModel) -> Distance:
    """Parse `IMAGE:x,y IMAGE:x,y … ; IMAGE:x,y IMAGE:x,y … = METRES`: two places, each picked in two images or more."""
    places, equals, number = text.rpartition("=")
    halves = places.split(";")
    if not equals or len(halves) != 2:
        raise RelocError(
            f"measure '{text}' is not 'IMAGE:x,y IMAGE:x,y ; IMAGE:x,y IMAGE:x,y = METRES': two places, each as "
            "pixels in two images or more"
        )
    metres = _metres(text, number)
    (a, cov_a), (b, cov_b) = (
        _place_picks(text, side, half, model) for side, half in zip(("first", "second"), halves, strict=True)
    )
    distance = Distance(text, (a, b), (cov_a, cov_b), metres)
    if distance.units == 0 or not distance.units > 2 * distance.units_error:
        raise RelocError(f"measure '{text}': the two places are the same; pick two that are apart")
    return distance


def _place_picks(text: str, side: str, half: str, model: SfmModel) -> tuple[Array, Array]:
    names, pixels = _parse_picks(text, half)
    found = match_images(names, model.names)
    for name, image in zip(names, found, strict=True):
        if image is None:
            raise RelocError(
                f"measure '{text}': the map has no image '{name}'; one of its images is '{model.names[0]}'"
            )
    images = np.array(found, dtype=np.intp)
    if len(set(found)) < 2 or len(set(found)) < len(found):
        raise RelocError(
            f"measure '{text}': the {side} place must be picked in two images or more, once in each; more is better"
        )
    for name, image, pixel in zip(names, images, pixels, strict=True):
        camera = model.camera(int(image))
        if not camera.contains(pixel[None])[0]:
            raise RelocError(
                f"measure '{text}': {pixel[0]:g},{pixel[1]:g} is outside of '{name}', {camera.width}x{camera.height}"
            )
    placed = place_point(model, images, pixels)
    worst = int(np.argmax(placed.errors_px))
    if placed.errors_px[worst] > MAX_ERROR_PX:
        raise RelocError(
            f"measure '{text}': the picks of the {side} place do not meet, '{names[worst]}' is off by "
            f"{placed.errors_px[worst]:.0f} px; pick the same spot in each image"
        )
    if placed.angle_deg < MIN_TRIANGULATION_ANGLE_DEG:
        raise RelocError(
            f"measure '{text}': the images see the {side} place from directions only {placed.angle_deg:.1f} deg apart; "
            "pick it in images from more different places"
        )
    return placed.position, placed.covariance


def _parse_picks(text: str, half: str) -> tuple[list[str], Array]:
    picks, end = [], 0
    while match := _PICK.match(half, end):
        picks.append(match)
        end = match.end()
    try:
        pixels = np.array([[float(match[2]), float(match[3])] for match in picks]).reshape(-1, 2)
    except ValueError:
        end = 0
    if not picks or half[end:].strip():
        raise RelocError(f"measure '{text}': '{half.strip()}' is not a list of IMAGE:x,y")
    return [match[1] for match in picks], pixels


def _metres(text: str, word: str) -> float:
    try:
        metres = float(word)
    except ValueError:
        metres = np.nan
    if not (np.isfinite(metres) and metres > 0):
        raise RelocError(
            f"'{text}': the distance must be a number of metres above zero, not '{word.strip()}'"
        )
    return metres
