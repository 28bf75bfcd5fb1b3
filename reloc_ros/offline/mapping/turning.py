"""Whether a camera only turned: then its pictures hold no depth, and any model of them is made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.offline.evenly import evenly
from reloc_ros.offline.mapping.consistency import MIN_MATCHES
from reloc_ros.offline.matching.features import VerifiedPair
from reloc_ros.offline.sources.gather import Group
from reloc_ros.offline.sources.photographs import read_photo

Array = NDArray[np.float64]
MAX_PARALLAX_SHARE = 0.005
"""Of the image's width. Rendered turns on the spot had 0.0007, blurred 0.0014; walks 0.016 and more."""
_FOCAL_SHARES = np.geomspace(0.4, 4.0, 14)
_RADIAL = (-0.2, -0.1, 0.0, 0.1)
_MOST_PAIRS, _MOST_MATCHES = 150, 150


def refuse_turns(images_dir: Path, groups: Sequence[Group], verified: Sequence[VerifiedPair]) -> None:
    """Where the cameras only turned there is no depth, and COLMAP would make some up."""
    shares = []
    for group in groups:
        names = set(group.names)
        inside = [pair for pair in verified if names.issuperset(pair.names)]
        height, width = read_photo(images_dir / group.names[0]).shape[:2]
        shares.append(parallax_share(inside, (width, height), group.camera))
    if max(shares) < MAX_PARALLAX_SHARE:
        raise RelocError(
            f"in '{images_dir}' the camera only turned: a rotation explains the images to within "
            f"{100 * max(shares):.2f} % of their width, so they hold no depth; take them while moving sideways"
        )


def parallax_share(pairs: Sequence[VerifiedPair], size: tuple[int, int], camera: Camera | None) -> float:
    """How far matches are, at the 90th percentile of the pairs, from where a turn alone would have put them.

    Each pair gets the rotation that explains it best, all pairs the one focal length and radial distortion that do:
    COLMAP, asked for a model of such pictures, bends the focal length until the camera seems to have moved.

    Args:
        pairs: of pictures that one camera took.
        size: width and height of the pictures.
        camera: its intrinsics, if they are known.

    Returns:
        A share of the image's width, the median over a pair's matches; infinite without pairs to tell by.
    """
    chosen = [pair for pair in pairs if len(pair.first_px) >= MIN_MATCHES]
    if not chosen:
        return np.inf
    chosen = [chosen[row] for row in evenly(len(chosen), _MOST_PAIRS)]
    first_px, second_px = np.full((2, len(chosen), _MOST_MATCHES, 2), np.nan)
    for row, pair in enumerate(chosen):
        step = -(-len(pair.first_px) // _MOST_MATCHES)
        for px, of_pair in ((first_px, pair.first_px[::step]), (second_px, pair.second_px[::step])):
            px[row, : len(of_pair)] = of_pair

    def worst(focal_share: float, radial: float) -> float:
        first, second = (_rays(px, size, camera, focal_share, radial) for px in (first_px, second_px))
        scale = camera.fx / size[0] if camera is not None else focal_share
        return float(np.quantile(_turn_residuals(first, second, scale), 0.9))

    if camera is not None:
        return worst(0.0, 0.0)
    return min(worst(focal_share, radial) for focal_share in _FOCAL_SHARES for radial in _RADIAL)


def _rays(
    px: Array, size: tuple[int, int], camera: Camera | None, focal_share: float, radial: float
) -> Array:
    """Unit directions (P, M, 3) of pixels (P, M, 2); NaN where there are none."""
    if camera is not None:
        plane = camera.unproject(px.reshape(-1, 2)).reshape(px.shape)
    else:
        plane = (px - (np.array(size) - 1) / 2) / (focal_share * size[0])
        plane = plane * (1 - radial * (plane**2).sum(axis=-1, keepdims=True))
    rays = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def _turn_residuals(first: Array, second: Array, scale: float) -> Array:
    """(P,) medians of what the rotation that explains a pair's directions (P, M, 3) best leaves unexplained."""
    there = np.isfinite(first + second).all(axis=-1)
    first, second = (np.where(there[..., None], rays, 0.0) for rays in (first, second))
    weights = there.astype(np.float64)
    for _ in range(6):  # reweighted, as some matches are wrong
        turns = _best_rotations(first, second, weights)
        errors = np.linalg.norm(second - first @ turns.transpose(0, 2, 1), axis=-1) * scale
        weights = there / (1 + (errors / MAX_PARALLAX_SHARE) ** 2)
    return np.asarray(np.nanmedian(np.where(there, errors, np.nan), axis=1))


def _best_rotations(first: Array, second: Array, weights: Array) -> Array:
    """(P, 3, 3) that turn directions (P, M, 3) onto others best: Wahba's problem, by SVD (Markley, 1988)."""
    u, _, vt = np.linalg.svd((second * weights[..., None]).transpose(0, 2, 1) @ first)
    u[..., -1] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[:, None]
    return np.asarray(u @ vt)
