"""What all textures are painted with: noise, shapes, writing and ageing, each drawn from a random generator."""

import string
from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Texture = NDArray[np.uint8]
"""(H, W, 3) BGR."""
Colour = tuple[int, int, int]
FONT = cv2.FONT_HERSHEY_DUPLEX
T = TypeVar("T")

PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((60, 76, 214), (64, 148, 240), (92, 200, 244), (150, 130, 52), (92, 62, 38), (228, 236, 240)),
    ((110, 88, 40), (160, 140, 66), (120, 190, 230), (84, 120, 224), (70, 66, 190), (222, 232, 236)),
    ((86, 104, 58), (116, 150, 96), (104, 196, 214), (70, 124, 210), (58, 62, 120), (226, 230, 224)),
    ((130, 66, 86), (176, 112, 118), (190, 170, 120), (96, 170, 232), (76, 96, 204), (232, 228, 226)),
)
"""Five colours and, last, the one of paper."""
WORDS = (
    "LANDMARK", "ATLAS", "HORIZON", "SEXTANT", "MERIDIAN", "LIGHTHOUSE", "COMPASS", "HARBOUR", "ANCHOR",
    "BEACON", "ZENITH", "PARALLAX", "TRIPOD", "LANTERN", "ORCHARD", "VOYAGE", "MARINER", "QUADRANT", "TIDE",
    "ISLAND", "CARTOGRAPHY", "NORTH", "POLARIS", "AZIMUTH", "BEARING", "DEPTH", "STRAIT", "ESTUARY",
    "GLACIER", "SUMMIT",
)  # fmt: skip


def pick(rng: Generator, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def varied(rng: Generator, colour: Colour, spread: float) -> Colour:
    """A colour near `colour`: its brightness and, less, its hue changed at random."""
    factors = (1 + rng.normal(0, spread)) * (1 + rng.normal(0, spread / 3, 3))
    blue, green, red = np.clip(np.multiply(colour, factors), 0, 255).astype(int).tolist()
    return blue, green, red


def filled(width: int, height: int, colour: Colour) -> Texture:
    return np.full((height, width, 3), colour, np.uint8)


def noise(
    rng: Generator, width: int, height: int, cell_px: tuple[float, float], octaves: int = 4
) -> NDArray[np.float32]:
    """Value noise, about -1 to 1, whose coarsest cell is `cell_px` (x, y); each octave halves it."""
    total = np.zeros((height, width), np.float32)
    amplitude = 1.0
    for octave in range(octaves):
        cells_x = max(2, int(np.ceil(width / max(1.0, cell_px[0] / 2**octave))) + 1)
        cells_y = max(2, int(np.ceil(height / max(1.0, cell_px[1] / 2**octave))) + 1)
        grid = rng.random((min(cells_y, height), min(cells_x, width)), np.float32) * 2 - 1
        total += amplitude * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        amplitude *= 0.55
    return total


def shade(texture: Texture, amounts: NDArray[np.float32]) -> Texture:
    """Brighten (positive) or darken (negative) by `amounts` (H, W), where 1 is a full doubling."""
    return np.clip(texture * (1 + amounts[..., None]), 0, 255).astype(np.uint8)


def mottled(rng: Generator, texture: Texture, *layers: tuple[float, tuple[float, float], int]) -> Texture:
    """Shaded by layers of noise, each of a strength, a coarsest cell in pixels (x, y) and a number of octaves."""
    height, width = texture.shape[:2]
    return shade(texture, sum(strength * noise(rng, width, height, *grain) for strength, *grain in layers))


def scratches(rng: Generator, texture: Texture, count: int, length_px: float, strength: int = 28) -> None:
    """Draw short, slightly lighter or darker strokes in place, so that plain surfaces carry detail too."""
    height, width = texture.shape[:2]
    for _ in range(count):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        angle, length = rng.uniform(0, np.pi), rng.exponential(length_px)
        end = x + length * np.cos(angle), y + length * np.sin(angle)
        base = texture[int(y), int(x)].astype(int) + int(rng.choice([-1, 1])) * strength
        line(texture, (x, y), end, np.clip(base, 0, 255).tolist(), int(rng.integers(1, 3)))


def borders(values: NDArray) -> NDArray[np.bool_]:
    """(H, W) the pixels whose right or lower neighbour has another value."""
    below = np.diff(values, axis=0, append=values[-1:]) != 0
    return below | (np.diff(values, axis=1, append=values[:, -1:]) != 0)


def line(texture: Texture, start: ArrayLike, end: ArrayLike, colour: Colour, thickness: int) -> None:
    cv2.line(texture, _pixel(start), _pixel(end), colour, thickness, cv2.LINE_AA)


def disc(texture: Texture, center: ArrayLike, radius: int, colour: Colour, thickness: int = -1) -> None:
    """A circle, filled unless it has a thickness."""
    cv2.circle(texture, _pixel(center), radius, colour, thickness, cv2.LINE_AA)


def oval(
    texture: Texture,
    center: ArrayLike,
    half_axes: tuple[int, int],
    angle_deg: float,
    colour: Colour,
    thickness: int = -1,
) -> None:
    """An ellipse, filled unless it has a thickness."""
    cv2.ellipse(texture, _pixel(center), half_axes, angle_deg, 0, 360, colour, thickness, cv2.LINE_AA)


def polygon(texture: Texture, corners: ArrayLike, colour: Colour) -> None:
    cv2.fillPoly(texture, [np.asarray(corners).astype(np.int32)], colour, cv2.LINE_AA)


def _pixel(place: ArrayLike) -> list[int]:
    return np.asarray(place).astype(int).tolist()


def word(rng: Generator) -> str:
    return str(rng.choice(WORDS))


def code(rng: Generator, length: int = 7) -> str:
    return "".join(rng.choice(list(string.ascii_uppercase + string.digits), length))


def write(
    texture: Texture, text: str, box: tuple[float, float, float, float], colour: Colour, weight: float = 0.055
) -> None:
    """Write `text` as large as fits the box (left, top, width, height), strokes `weight` of its height."""
    left, top, width, height = map(int, box)
    (at_one, tall), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(width / max(1, at_one), height / max(1, tall)) * 0.92
    thickness = max(1, round(scale * tall * weight * 1.6))
    baseline = (left, int(top + (height + scale * tall) / 2))
    cv2.putText(texture, text, baseline, FONT, scale, colour, thickness, cv2.LINE_AA)


def framed(texture: Texture, colour: Colour, border_px: int = 12) -> Texture:
    """The print in a frame, of the same size as before."""
    height, width = texture.shape[:2]
    inner = cv2.resize(texture, (width - 2 * border_px, height - 2 * border_px), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(inner, *[border_px] * 4, cv2.BORDER_CONSTANT, value=colour)


def aged(rng: Generator, texture: Texture) -> Texture:
    """Paper is never flat: add stains and a fine tooth."""
    return mottled(rng, texture, (0.05, (90, 90), 4), (0.05, (3, 3), 1))
