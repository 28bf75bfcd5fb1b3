"""Many small pictures in one large one, at several scales, so that patches of all of them are taken in one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Picture = NDArray[np.uint8]
SCALES = 5
"""The pictures themselves, and so on down to a sixteenth of their size."""
_MOST_PX = 32767
"""OpenCV's limit for the side of a picture that patches are taken from."""


class Atlas:
    """The pictures side by side, each scale half as large as the one before."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._sizes = np.array([picture.shape[::-1] for picture in pictures])
        block = 2 ** (SCALES - 1)  # tiles start at whole pixels at every scale
        tile = (self._sizes.max(axis=0) + block - 1) // block * block
        columns = int(np.ceil(np.sqrt(len(pictures))))
        rows = -(-len(pictures) // columns)
        width, height = (tile * (columns, rows)).tolist()
        if max(width, height) > _MOST_PX:
            raise RelocError(f"{len(pictures)} reference views of {tile[0]}x{tile[1]} pixels are too many")
        places = np.arange(len(pictures))
        self._corners = np.column_stack([places % columns, places // columns]) * tile
        self._scales = [np.zeros((height >> s, width >> s), np.uint8) for s in range(SCALES)]
        for picture, (x, y) in zip(pictures, self._corners.tolist(), strict=True):
            for scale, canvas in enumerate(self._scales):
                height, width = picture.shape
                canvas[y >> scale :, x >> scale :][:height, :width] = picture
                picture = halved(picture)

    def patches(
        self,
        views: NDArray[np.int32],
        centers_px: NDArray[np.float32],
        view_from_patch: NDArray[np.float32],
        offsets: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Take N patches of S pixels, each at the scale that suits its stretch.

        Args:
            views: (N,) which picture.
            centers_px: (N, 2) in that picture.
            view_from_patch: (N, 2, 2) pixels of the picture for a pixel of the patch.
            offsets: (2, S) the patch's pixels from its centre.

        Returns:
            The patches (N, S), and which lie within their picture (N,).
        """
        (a, b), (c, d) = view_from_patch.transpose(1, 2, 0)
        stretch = np.sqrt(np.abs(a * d - b * c))
        scales = np.clip(np.rint(np.log2(np.maximum(stretch, 1e-6))), 0, SCALES - 1).astype(np.intp)
        shrink = np.ldexp(np.float32(1), -scales)
        warps = view_from_patch * shrink[:, None, None]
        # Pixel edges, not centres, scale.
        centers = (centers_px + 0.5) * shrink[:, None] - 0.5
        reach = np.abs(warps) @ np.abs(offsets).max(axis=1)
        last = (self._sizes[views] >> scales[:, None]) - 1
        (low_x, low_y), (high_x, high_y) = (centers - reach).T, (last - centers - reach).T
        inside = (low_x >= 0) & (low_y >= 0) & (high_x >= 0) & (high_y >= 0)
        corners = (self._corners[views] >> scales[:, None]).astype(np.float32)
        places = warps @ offsets
        places += (centers + corners)[:, :, None]
        taken = np.zeros((len(views), offsets.shape[1]), np.float32)
        for scale in np.unique(scales[inside]).tolist():
            mine = np.flatnonzero(inside & (scales == scale))
            taken[mine] = cv2.remap(self._scales[scale], places[mine, 0], places[mine, 1], cv2.INTER_LINEAR)
        return taken, inside


def halved(picture: NDArray[Any]) -> NDArray[Any]:
    """Half as large, each pixel the mean of four; an odd last row or column is dropped, never below one pixel."""
    height, width = (max(size // 2, 1) for size in picture.shape)
    return cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
