"""Which way is up: from how the camera was held, from an accelerometer, or from the largest level plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.agreement import UpEstimate, angle_deg, robust_direction
from reloc_ros.offline.align.timed_readings import Accelerations
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.scene_size import extent

Array = NDArray[np.float64]

PICTURE_TOPS = {"top": (0, -1, 0), "left": (-1, 0, 0), "right": (1, 0, 0), "bottom": (0, 1, 0)}
"""Which side of the stored pictures is up, as a direction in the optical frame."""
MIN_SWING_DEG = 8.0
"""A camera whose pictures' axes scatter by less, at the median, hardly turned."""
MAX_STILL_SHARE, MAX_STILL_DEG = 0.8, 35.0
"""The axis that a camera turns about scatters by this share of the other one at the most (0.8 is a level camera
that looks down by 53 deg), and by this angle."""
GRAVITY_M_S2 = 9.81
MIN_IMAGES = 5
MIN_AGREEING_SHARE = 0.5
"""A source must be right about most of at least so many images."""
MIN_TURN = 0.15
"""Of the pictures' horizontals, the standard deviation (as a sine) that is needed to fit a level to them."""
MAX_ROLL_DEG = 10.0
"""Pictures held more askew than this are not counted: turned to portrait, or not held level."""
MAX_ACCELERATION_SHARE = 0.05
"""The accelerometer shows gravity while its reading is this near to it."""
MAX_IMU_SCATTER_DEG = 10.0
"""Where an accelerometer's up scatters more as the camera turns, its mount was told wrongly."""
IMU_WINDOW_S = 0.05
"""Readings so near to an image's time, on either side, are averaged for it."""
MAX_PLANE_TILT_DEG = 30.0
"""From level by how the camera was held, which is itself no better than that."""
MIN_PLANE_SHARE = 0.08
"""Of the points, a plane must hold so many to be a floor or a table top."""
MIN_PLANE_POINTS = 20
"""And at least so many of those that are counted."""
_PLANE_BAND = 0.01
"""Points this near to a plane belong to it at first, as a share of the typical distance from camera to point."""
_TRIALS = 500
"""Pairs of pictures that are tried for a level; a fifth may be askew."""
_TRIPLES = 30_000
"""With a tenth of the points in the plane, thirty of these triples are."""
_COUNTED = 2000
"""Points of the cloud, chosen at random, that tell how many a plane holds."""
_FLOOR_REGIONS = 16
"""So many parts of a floor are off by themselves; more points than that do not make it surer."""


def up_of_cameras(
    model: SfmModel, top: str | None = None, noted: Mapping[str, str] | None = None
) -> UpEstimate:
    """Up by a camera that was held level.

    A level camera may look up or down, but the horizontal of its picture is level: up is what is square to the
    horizontals of most pictures. Where those are all alike, as the camera never turned, up is the mean of the
    pictures' own ups, and then a camera that looked down tilts the map.

    Args:
        top: the side of all pictures that is up, one of `PICTURE_TOPS`.
        noted: without it, that of single images by name, as the camera noted it; the others' is their top.
    """
    if len(model.names) < MIN_IMAGES:
        raise RelocError(
            f"--up camera needs {MIN_IMAGES} images, the map has {len(model.names)}; use another source"
        )
    noted = {} if top else noted or {}
    _refuse_sideways(model, top, noted)
    ups, sides = picture_axes(model, top, noted)
    label = "the level camera" if top in (None, "top") else f"the level camera, {top} up"
    turned = sum(noted.get(name, "top") != "top" for name in model.names)
    notes = (f"{turned} of {len(ups)} pictures are turned, as they or their video note",) if turned else ()
    rough = robust_direction(ups)[0]
    upright = np.abs(sides @ rough) < np.sin(np.pi / 4)  # in portrait they look like a camera that turned
    turn = np.linalg.svd(sides[upright], compute_uv=False)[1] / np.sqrt(max(1, upright.sum()))
    if turn >= MIN_TURN:
        return dataclasses.replace(_level_of_sides(label, ups, sides, rough), notes=notes)
    up, used, scatter_deg = robust_direction(ups)
    _refuse_scatter(label, used, scatter_deg, 2 * MAX_ROLL_DEG)
    error_deg = scatter_deg / float(np.sqrt(used.sum()))
    notes += ("all pictures look the same way: if they are tilted, or on their side, so is the map now",)
    return UpEstimate(label, up, error_deg, int(used.sum()), len(ups), scatter_deg, notes=notes)


def picture_axes(model: SfmModel, top: str | None, noted: Mapping[str, str]) -> tuple[Array, Array]:
    """(N, 3) where each picture's top points, and where its side does, which is level in a level picture."""
    tops = [top or noted.get(name, "top") for name in model.names]
    camera_ups = np.array([PICTURE_TOPS[one] for one in tops], dtype=np.float64)
    camera_sides = np.cross([0.0, 0, 1], camera_ups)
    return tuple(np.einsum("ni,nij->nj", axes, model.rotations) for axes in (camera_ups, camera_sides))


def _refuse_sideways(model: SfmModel, top: str | None, noted: Mapping[str, str]) -> None:
    """Refuse pictures that seem to lie on their side, where nobody said which one is up.

    A camera turns about the vertical more than it tilts, so of the two axes of its pictures the upright one scatters
    less. One that hardly turns is moved along the ground more than up and down.
    """
    untold = np.array([name not in noted for name in model.names])
    if top is not None or untold.sum() < MIN_IMAGES:
        return
    rotations, centers = model.rotations[untold], model.centers_map[untold]
    means = np.array([robust_direction(rotations[:, axis])[0] for axis in (0, 1)])
    off = np.degrees(np.arccos(np.clip(np.einsum("nai,ai->na", rotations[:, :2], means), -1, 1)))
    across, along = np.median(off, axis=0)
    if max(across, along) > MIN_SWING_DEG and min(across, along) < MAX_STILL_SHARE * max(across, along):
        sideways = across < min(along, MAX_STILL_DEG)
        seen = f"the camera turned about their long way (by {along:.0f} deg, across it by {across:.0f})"
    else:
        across, along = (centers @ means.T).std(axis=0)
        sideways = along > 2 * across and along > 0.5 * np.linalg.norm(centers.std(axis=0))
        seen = "the camera moved along their short way, and hardly along the long one"
    if sideways:
        raise RelocError(
            f"the pictures seem to lie on their side, as {seen}, and no EXIF or video notes how they were held; say "
            "with --picture-top which side of them, as stored, is up: left or right, or top if they are upright"
        )


def _level_of_sides(label: str, ups: Array, sides: Array, rough: Array) -> UpEstimate:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(sides), (2, _TRIALS))
    squares = np.cross(sides[a], sides[b])
    squares = squares[np.linalg.norm(squares, axis=1) >= MIN_TURN]
    squares *= (np.sign(squares @ rough) / np.linalg.norm(squares, axis=1))[:, None]
    medians = [np.median(_roll_deg(square, sides, ups)) for square in squares]
    best = squares[int(np.argmin(medians))]
    sigma = MAX_ROLL_DEG / 3
    for _ in range(5):
        used = _roll_deg(best, sides, ups) <= min(MAX_ROLL_DEG, max(3 * sigma, 0.5))
        if used.sum() < MIN_IMAGES:
            break
        values, vectors = np.linalg.eigh(sides[used].T @ sides[used])
        best = vectors[:, 0] * np.sign(vectors[:, 0] @ best)
        sigma = np.sqrt(np.mean(_roll_deg(best, sides, ups)[used] ** 2))
    _refuse_scatter(label, used, float(sigma), MAX_ROLL_DEG)
    error = sigma / np.sqrt(max(values[1], 1e-12))
    rolls = _roll_deg(best, sides, ups)[used]
    return UpEstimate(label, best, float(error), int(used.sum()), len(ups), float(np.median(rolls)))


def _roll_deg(up: Array, sides: Array, ups: Array) -> Array:
    """(N,) how far each picture's horizontal is from level; 180 for a picture that is upside down."""
    rolls = np.degrees(np.abs(np.arcsin(np.clip(sides @ up, -1, 1))))
    return np.where(ups @ up > 0, rolls, 180.0)


def up_of_imu(
    model: SfmModel, stamps_ns: Mapping[str, int], imu: Accelerations, label: str, imu_from_camera: Array
) -> UpEstimate:
    """Up by the accelerometer, which at rest reads the push that holds it up.

    Args:
        stamps_ns: when images were taken, by name.
        imu_from_camera: (3, 3) rotation of the optical frame into the sensor's.
    """
    readings, rows = [], []
    for row, name in enumerate(model.names):
        if name not in stamps_ns:
            continue
        near = np.abs(imu.stamps_ns - stamps_ns[name]) <= IMU_WINDOW_S * 1e9
        if near.any():
            readings.append(imu.accelerations[near].mean(axis=0))
            rows.append(row)
    if len(rows) < MIN_IMAGES:
        raise RelocError(
            f"{label} has readings at the times of only {len(rows)} of the map's images; the map must be made from "
            "the same recording"
        )
    norms = np.linalg.norm(readings, axis=1)
    _refuse_units(label, float(np.median(norms)))
    calm = np.abs(norms - GRAVITY_M_S2) <= MAX_ACCELERATION_SHARE * GRAVITY_M_S2
    if calm.sum() < max(MIN_IMAGES, MIN_AGREEING_SHARE * len(calm) / 2):
        raise RelocError(
            f"{label} shows motion in all but {calm.sum()} of {len(calm)} images, which hides gravity; record with "
            "pauses, or use another source of --up"
        )
    in_camera = (np.array(readings)[calm] / norms[calm, None]) @ imu_from_camera
    ups = np.einsum("nji,nj->ni", model.rotations[np.array(rows)[calm]], in_camera)
    up, used, scatter_deg = robust_direction(ups)
    if scatter_deg > MAX_IMU_SCATTER_DEG or used.sum() < MIN_AGREEING_SHARE * len(used):
        raise RelocError(
            f"{label} contradicts the map: what it calls up scatters by {scatter_deg:.0f} deg as the camera "
            "turns; check --imu-from-camera"
        )
    error_deg = scatter_deg / float(np.sqrt(used.sum()))
    return UpEstimate(label, up, error_deg, int(used.sum()), len(stamps_ns), scatter_deg)


def _refuse_units(label: str, norm: float) -> None:
    if norm < 0.2:
        raise RelocError(
            f"{label} reads {norm:.2g} m/s^2 at rest, so it leaves gravity out; use another source of --up"
        )
    if 0.8 < norm < 1.2:
        raise RelocError(f"{label} reads {norm:.2g} at rest, so it is in g; sensor_msgs/Imu is in m/s^2")


def up_of_plane(
    model: SfmModel, top: str | None = None, noted: Mapping[str, str] | None = None
) -> UpEstimate:
    """Up by the plane that holds most points, of those that are level by how the camera was held, and under it."""
    points = _thinned(model.points_map)
    band = _PLANE_BAND * _typical_distance(model)
    normals, heights = _level_planes(points, model.centers_map, _rough_up(model, top, noted or {}))
    some = points[np.random.default_rng(1).permutation(len(points))[:_COUNTED]]
    counts = np.array(
        [np.count_nonzero(np.abs(some @ n - h) <= band) for n, h in zip(normals, heights, strict=True)]
    )
    share = counts.max(initial=0) / len(some)
    if share < MIN_PLANE_SHARE or counts.max() < MIN_PLANE_POINTS:
        raise RelocError(
            f"no plane was found that could be a floor or a table top: the best one below the cameras holds "
            f"{100 * share:.0f} % of the points, {100 * MIN_PLANE_SHARE:.0f} % and {MIN_PLANE_POINTS} points are "
            "needed; crop the cloud with reloc clean, say with --picture-top which side of the pictures is up, or use "
            "another source of --up"
        )
    best = int(counts.argmax())
    return _refined_plane(points, normals[best], float(heights[best]), band)


def _level_planes(points: Array, centers: Array, rough_up: Array) -> tuple[Array, Array]:
    """Planes through three points each that are level, more or less, and below most cameras: normals and heights."""
    a, b, c = points[np.random.default_rng(0).integers(0, len(points), (3, _TRIPLES))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1)
    longest = np.maximum(np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1))
    sound = lengths > 0.05 * longest**2  # slivers point anywhere
    normals, a = normals[sound] / lengths[sound, None], a[sound]
    normals *= np.sign(normals @ rough_up)[:, None]
    heights = np.einsum("ni,ni->n", normals, a)
    level = normals @ rough_up >= np.cos(np.radians(MAX_PLANE_TILT_DEG))
    level[level] = np.median(normals[level] @ centers.T, axis=1) > heights[level]
    return normals[level], heights[level]


def _rough_up(model: SfmModel, top: str | None, noted: Mapping[str, str]) -> Array:
    _refuse_sideways(model, top, noted)
    try:
        return up_of_cameras(model, top, noted).up_sfm
    except RelocError:
        return robust_direction(picture_axes(model, top, {} if top else noted)[0])[0]


def _refined_plane(points: Array, normal: Array, height: float, band: float) -> UpEstimate:
    for _ in range(10):
        near = np.abs(points @ normal - height) <= band
        middle = points[near].mean(axis=0)
        _, singular, axes = np.linalg.svd(points[near] - middle, full_matrices=False)
        normal = axes[2] * np.sign(axes[2] @ normal)
        height = float(normal @ middle)
        # Narrower, as the plane gets better, to what the points near it show; things that stand on it stay out.
        sigma = 1.4826 * float(np.median(np.abs(points[near] @ normal - height)))
        band = min(band, max(3 * sigma, 0.2 * band))
    error = np.degrees(singular[2] / singular[1] / np.sqrt(min(near.sum(), _FLOOR_REGIONS)))
    residual = np.degrees(np.arctan(singular[2] / singular[1]))
    return UpEstimate(
        "the largest level plane", normal, float(error), int(near.sum()), len(points), float(residual), height
    )


def _refuse_scatter(label: str, used: NDArray[np.bool_], scatter_deg: float, most_deg: float) -> None:
    if used.sum() < max(MIN_IMAGES, MIN_AGREEING_SHARE * len(used)) or scatter_deg > most_deg:
        raise RelocError(
            f"{label} does not tell what is up: only {used.sum()} of {len(used)} pictures agree; it was not held "
            "level, use another source of --up"
        )


def _thinned(points: Array) -> Array:
    """At most one point in each small cell, so that a rich texture counts no more than a plain one of its size."""
    cells = np.floor(points / max(0.01 * extent(points), 1e-12))
    _, rows = np.unique(cells, axis=0, return_index=True)
    return points[np.sort(rows)]


def _typical_distance(model: SfmModel) -> float:
    """Median distance from the middle of the cloud's points to the nearest camera."""
    return float(np.median(cKDTree(model.centers_map).query(model.points_map)[0]))


def level_rotation(up_sfm: Array, first_camera_from_sfm: SE3) -> Array:
    """(3, 3) map_from_sfm: z up, and x to where the first camera looks, as far as that is level."""
    ahead = first_camera_from_sfm.rotation[2]
    if angle_deg(up_sfm, ahead * np.sign(ahead @ up_sfm)) < 5:  # straight up or down
        ahead = -first_camera_from_sfm.rotation[1]  # where the picture's top points
    x = ahead - (ahead @ up_sfm) * up_sfm
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up_sfm, x), up_sfm])
