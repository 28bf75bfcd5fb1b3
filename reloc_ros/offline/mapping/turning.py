"""Whether a camera only turned: then its pictures hold no depth, and any model of them is made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
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
    chosen = [index for index, pair in enumerate(pairs) if len(pair.first_px) >= MIN_MATCHES]
    if not chosen:
        return np.inf
    chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, _MOST_PAIRS).astype(int))]

    def worst(focal_share: float, radial: float) -> float:
        residuals = [_turn_residual(pairs[i], size, camera, focal_share, radial) for i in chosen]
        return float(np.quantile(residuals, 0.9))

    if camera is not None:
        return worst(0.0, 0.0)
    return min(worst(focal_share, radial) for focal_share in _FOCAL_SHARES for radial in _RADIAL)


def _turn_residual(
    pair: VerifiedPair, size: tuple[int, int], camera: Camera | None, focal_share: float, radial: float
) -> float:
    step = -(-len(pair.first_px) // _MOST_MATCHES)
    width = size[0]

    def directions(px: Array) -> Array:
        if camera is not None:
            plane = camera.unproject(px)
        else:
            plane = (px - (np.array(size) - 1) / 2) / (focal_share * width)
            plane = plane * (1 - radial * (plane**2).sum(axis=1, keepdims=True))
        rays = np.column_stack([plane, np.ones(len(px))])
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    first, second = directions(pair.first_px[::step]), directions(pair.second_px[::step])
    scale = camera.fx / width if camera is not None else focal_share
    weights = np.ones(len(first))
    for _ in range(6):  # reweighted, as some matches are wrong
        errors = np.linalg.norm(second - first @ _best_rotation(first, second, weights).T, axis=1) * scale
        weights = 1 / (1 + (errors / MAX_PARALLAX_SHARE) ** 2)
    return float(np.nanmedian(errors))


def _best_rotation(first: Array, second: Array, weights: Array) -> Array:
    """The rotation that turns directions (M, 3) onto others best: Wahba's problem, by SVD (Markley, 1988)."""
    u, _, vt = np.linalg.svd((second * weights[:, None]).T @ first)
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))]) @ vt
