"""What a camera makes of a changing light: brightness, gamma, colour cast and sensor noise."""

import dataclasses
import functools

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Exposure:
    """How a rendered picture is recorded; the default leaves it as it is."""

    brightness: float = 1.0
    """Gain of the light before gamma; 1 changes nothing."""
    gamma: float = 1.0
    """Above 1 darkens the middle tones, below 1 lifts them."""
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Gain per channel: blue, green, red."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise, in grey levels."""

    def record(self, image: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
        """The picture (H, W, 3) BGR as recorded; `seed` decides the noise."""
        levels = np.arange(256)[:, None] / 255 * self.brightness * np.array(self.cast)
        table = np.rint(255 * np.clip(levels, 0, 1) ** self.gamma).astype(np.uint8)
        recorded = cv2.LUT(image, np.ascontiguousarray(table[None]))
        if self.noise > 0:
            # One large block of noise, shifted at random: drawing it anew would cost more than the picture.
            rng = np.random.default_rng(seed)
            grain = _grain(recorded.shape[0] + 64, recorded.shape[1] + 64)
            y, x = rng.integers(0, 64, 2)
            here = grain[y : y + recorded.shape[0], x : x + recorded.shape[1]] * np.float32(self.noise)
            recorded = cv2.add(recorded, here, dtype=cv2.CV_8U)
        return recorded


@functools.cache
def _grain(height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(99).standard_normal((height, width, 3), np.float32)
