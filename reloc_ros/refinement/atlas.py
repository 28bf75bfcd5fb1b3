"""Many small pictures in one large one, at several scales, so that patches of all of them are taken in one go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.errors import RelocError

Picture = NDArray[np.uint8]
SCALES = 5
"""The pictures themselves, and so on down to a sixteenth of their size."""
HELD = 512
"""Pictures, and a third again for their scales: 210 MB of 640x480, where a map has so many."""
_MOST_PX = 32767
"""OpenCV's limit for the side of a picture that patches are taken from."""


class Atlas:
    """The pictures side by side, each scale half as large as the one before.

    Of a large map's only some are held, those that were asked for last.
    """

    def __init__(self, sizes: NDArray[np.integer], read: Callable[[int], Picture], most: int = HELD) -> None:
        """Of pictures of these sizes (N, 2), width and height; `read` gives one (H, W), when it is needed.

        Args:
            most: are held, of them at least those of one call of `patches`.
        """
        self._sizes, self._read = sizes, read
        block = 2 ** (SCALES - 1)  # tiles start at whole pixels at every scale
        tile = (sizes.max(axis=0) + block - 1) // block * block
        places = np.arange(min(len(sizes), most))
        columns = int(np.ceil(np.sqrt(len(places))))
        rows = -(-len(places) // columns)
        width, height = (tile * (columns, rows)).tolist()
        if max(width, height) > _MOST_PX:
            raise RelocError(f"{len(places)} reference views of {tile[0]}x{tile[1]} pixels are too many")
        self._corners = np.column_stack([places % columns, places // columns]) * tile
        self._scales = [np.zeros((height >> s, width >> s), np.uint8) for s in range(SCALES)]
        self._lock = threading.Lock()  # of what is where
        self._asked = np.zeros(len(places), dtype=np.int64)
        self._place_of = np.full(len(sizes), -1)
        if len(sizes) <= most:
            self._hold(np.arange(len(sizes)))

    def _hold(self, views: NDArray[np.integer]) -> None:
        """Have these pictures, each once, where they can be taken from, instead of those asked for longest ago."""
        if len(views) > len(self._asked):
            raise ValueError(f"{len(views)} pictures are asked for at once, {len(self._asked)} can be held")
        now, here = self._asked.max() + 1, self._place_of[views]
        self._asked[here[here >= 0]] = now
        oldest = np.argsort(self._asked, kind="stable")
        for view, place in zip(views[here < 0].tolist(), oldest.tolist(), strict=False):
            picture = self._read(view)
            self._place_of[self._place_of == place] = -1
            self._place_of[view], self._asked[place] = place, now
            x, y = self._corners[place].tolist()
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
        places = warps @ offsets
        taken = np.zeros((len(views), offsets.shape[1]), np.float32)
        with self._lock:
            self._hold(np.unique(views))
            corners = self._corners[self._place_of[views]] >> scales[:, None]
            places += (centers + corners.astype(np.float32))[:, :, None]
            for scale in np.unique(scales[inside]).tolist():
                mine = np.flatnonzero(inside & (scales == scale))
                taken[mine] = cv2.remap(
                    self._scales[scale], places[mine, 0], places[mine, 1], cv2.INTER_LINEAR
                )
        return taken, inside


def halved(picture: NDArray[Any]) -> NDArray[Any]:
    """Half as large, each pixel the mean of four; an odd last row or column is dropped, never below one pixel."""
    height, width = (max(size // 2, 1) for size in picture.shape)
    return cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
