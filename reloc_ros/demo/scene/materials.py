"""Procedural surface materials; each takes a random generator and a size in pixels."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Texture = NDArray[np.uint8]
"""(H, W, 3) BGR."""
Colour = tuple[int, int, int]
FONT = cv2.FONT_HERSHEY_DUPLEX

PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((60, 76, 214), (64, 148, 240), (92, 200, 244), (150, 130, 52), (92, 62, 38), (228, 236, 240)),
    ((110, 88, 40), (160, 140, 66), (120, 190, 230), (84, 120, 224), (70, 66, 190), (222, 232, 236)),
    ((86, 104, 58), (116, 150, 96), (104, 196, 214), (70, 124, 210), (58, 62, 120), (226, 230, 224)),
    ((130, 66, 86), (176, 112, 118), (190, 170, 120), (96, 170, 232), (76, 96, 204), (232, 228, 226)),
)


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


def filled(width: int, height: int, colour: Colour) -> Texture:
    return np.full((height, width, 3), colour, np.uint8)


def shade(texture: Texture, amounts: NDArray[np.float32]) -> Texture:
    """Brighten (positive) or darken (negative) by `amounts` (H, W), where 1 is a full doubling."""
    return np.clip(texture * (1 + amounts[..., None]), 0, 255).astype(np.uint8)


def varied(rng: Generator, colour: Colour, spread: float) -> Colour:
    """A colour near `colour`: its brightness and, less, its hue changed at random."""
    factors = (1 + rng.normal(0, spread)) * (1 + rng.normal(0, spread / 3, 3))
    blue, green, red = np.clip(np.multiply(colour, factors), 0, 255).astype(int).tolist()
    return blue, green, red


def scratches(rng: Generator, texture: Texture, count: int, length_px: float, strength: int = 28) -> None:
    """Draw short, slightly lighter or darker strokes in place, so that plain surfaces carry detail too."""
    height, width = texture.shape[:2]
    for _ in range(count):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        angle, length = rng.uniform(0, np.pi), rng.exponential(length_px)
        end = int(x + length * np.cos(angle)), int(y + length * np.sin(angle))
        base = texture[int(y), int(x)].astype(int) + int(rng.choice([-1, 1])) * strength
        colour = np.clip(base, 0, 255).tolist()
        cv2.line(texture, (int(x), int(y)), end, colour, int(rng.integers(1, 3)), cv2.LINE_AA)


def planks(rng: Generator, width: int, height: int, board_px: int = 64) -> Texture:
    """Floor boards along x, each with its own tone, grain and now and then a knot."""
    texture = filled(width, height, (30, 44, 60))
    for top in range(0, height, board_px):
        left = -int(rng.integers(0, 6 * board_px))
        while left < width:
            length = int(rng.integers(5 * board_px, 11 * board_px))
            tone = varied(rng, (96, 140, 184), 0.16)
            cv2.rectangle(texture, (left, top), (left + length - 3, top + board_px - 3), tone, -1)
            if rng.random() < 0.5:
                _knot(rng, texture, left + int(rng.integers(20, length - 20)), top + board_px // 2, tone)
            left += length
    grain = 0.11 * noise(rng, width, height, (180, 6), 3) + 0.10 * noise(rng, width, height, (90, 60), 4)
    texture = shade(texture, grain)
    scratches(rng, texture, width * height // 4500, 9)
    return texture


def _knot(rng: Generator, texture: Texture, x: int, y: int, tone: Colour) -> None:
    y += int(rng.integers(-14, 15))
    for ring in range(int(rng.integers(3, 7)), 0, -1):
        darker = tuple(int(c * (0.62 + 0.07 * ring * (ring % 2))) for c in tone)
        axes = (3 + 4 * ring, 2 + 2 * ring)
        cv2.ellipse(
            texture,
            (x, y),
            axes,
            float(rng.uniform(-12, 12)),
            0,
            360,
            darker,
            2 if ring > 1 else -1,
            cv2.LINE_AA,
        )


def bricks(rng: Generator, width: int, height: int, brick_px: tuple[int, int] = (104, 36)) -> Texture:
    """A brick wall whose bricks differ in length, tone and damage; some are painted over."""
    texture = shade(filled(width, height, (158, 172, 182)), 0.12 * noise(rng, width, height, (8, 8), 2))
    length, course = brick_px
    for top in range(0, height, course):
        left = -int(rng.integers(0, length))
        while left < width:
            this = int(length * rng.choice([0.5, 0.95, 1.0, 1.08]))
            base = (
                (74, 92, 168) if rng.random() > 0.16 else PALETTES[int(rng.integers(4))][int(rng.integers(5))]
            )
            corners = np.array(
                [
                    [left + 3, top + 3],
                    [left + this - 3, top + 3],
                    [left + this - 3, top + course - 3],
                    [left + 3, top + course - 3],
                ]
            )
            corners += rng.integers(-2, 3, (4, 2))
            cv2.fillConvexPoly(texture, corners, varied(rng, base, 0.17), cv2.LINE_AA)
            left += this
    texture = shade(
        texture,
        0.16 * noise(rng, width, height, (26, 18), 4) + 0.07 * noise(rng, width, height, (400, 300), 2),
    )
    scratches(rng, texture, width * height // 1500, 7, 36)
    return texture


def plaster(rng: Generator, width: int, height: int, colour: Colour = (186, 192, 164)) -> Texture:
    """Old painted plaster: mottled, brushed, chipped."""
    mottle = 0.10 * noise(rng, width, height, (220, 220), 6) + 0.05 * noise(rng, width, height, (5, 40), 2)
    texture = shade(filled(width, height, colour), mottle)
    chips = noise(rng, width, height, (46, 46), 4) > 1.02
    texture[chips] = shade(filled(width, height, (150, 176, 206)), mottle * 2)[chips]
    rim = cv2.morphologyEx(chips.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    texture[rim] = (texture[rim] * 0.7).astype(np.uint8)
    scratches(rng, texture, width * height // 1600, 12)
    return texture


def mosaic(rng: Generator, width: int, height: int, tile_px: float = 26) -> Texture:
    """Broken tiles: the Voronoi cells of random points, their colours drifting so that no part repeats."""
    seeds = np.full((height, width), 255, np.uint8)
    count = max(8, int(width * height / tile_px**2))
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    palette = np.array(PALETTES[int(rng.integers(4))])
    drift = noise(rng, width, height, (width / 2, height / 4), 3)[seeds == 0]
    choice = (np.floor(drift * 2.2 + rng.normal(0, 0.9, len(drift))).astype(int)) % len(palette)
    colours = np.clip(palette[choice] * rng.normal(1, 0.13, (len(choice), 1)), 0, 255)
    # Labels number the seed pixels in raster order, from 1: the order of the boolean index above.
    texture = colours.astype(np.uint8)[labels - 1]
    grout = (np.diff(labels, axis=0, append=labels[-1:]) != 0) | (
        np.diff(labels, axis=1, append=labels[:, -1:]) != 0
    )
    texture[cv2.dilate(grout.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0] = (64, 66, 70)
    return shade(texture, 0.10 * noise(rng, width, height, (12, 12), 2))


def wood(rng: Generator, width: int, height: int, colour: Colour = (70, 108, 160)) -> Texture:
    """Planed wood with flowing grain along the longer side."""
    across = (9.0, 160.0) if height > width else (160.0, 9.0)
    bend = noise(rng, width, height, (150, 150), 2)
    grain = np.sin(6 * bend + 9 * noise(rng, width, height, across, 2)).astype(np.float32)
    texture = shade(
        filled(width, height, varied(rng, colour, 0.08)),
        0.13 * grain + 0.10 * noise(rng, width, height, (40, 40), 4),
    )
    scratches(rng, texture, max(10, width * height // 900), 7, 34)
    return texture


def rug(rng: Generator, width: int, height: int) -> Texture:
    """A woven rug: borders around a field of medallions, no two alike."""
    palette = PALETTES[0]
    texture = filled(width, height, (52, 44, 122))
    for inset, colour in ((14, palette[5]), (20, (96, 58, 34)), (58, palette[1]), (64, (58, 50, 140))):
        cv2.rectangle(texture, (inset, inset), (width - 1 - inset, height - 1 - inset), colour, -1)
    for _ in range(int((width + height) / 14)):  # the border's flowers
        x, y = _on_border(rng, width, height, 40)
        _medallion(rng, texture, x, y, int(rng.integers(6, 15)), palette)
    for _ in range(width * height // 2400):
        x, y = int(rng.integers(80, width - 80)), int(rng.integers(80, height - 80))
        _medallion(rng, texture, x, y, int(rng.integers(7, 34)), palette)
    return shade(
        texture, 0.12 * noise(rng, width, height, (5, 3), 2) + 0.08 * noise(rng, width, height, (120, 120), 3)
    )


def _on_border(rng: Generator, width: int, height: int, inset: int) -> tuple[int, int]:
    if rng.random() < width / (width + height):
        return int(rng.integers(inset, width - inset)), int(rng.choice([inset, height - inset]))
    return int(rng.choice([inset, width - inset])), int(rng.integers(inset, height - inset))


def _medallion(
    rng: Generator, texture: Texture, x: int, y: int, radius: int, palette: tuple[Colour, ...]
) -> None:
    sides, phase = int(rng.integers(3, 9)), rng.uniform(0, np.pi)
    while radius > 3:
        angles = phase + np.arange(2 * sides) * np.pi / sides
        radii = np.where(np.arange(2 * sides) % 2, radius, radius * rng.uniform(0.5, 0.95))
        star = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1)
        cv2.fillPoly(
            texture, [np.round(star).astype(np.int32)], palette[int(rng.integers(len(palette)))], cv2.LINE_AA
        )
        radius = int(radius * rng.uniform(0.45, 0.75))


def garden(rng: Generator, width: int, height: int) -> Texture:
    """What lies outside: sky with clouds, trees, a hedge and a picket fence."""
    horizon = int(height * 0.45)
    clouds = noise(rng, width, height, (width / 5, height / 8), 5)
    texture = shade(filled(width, height, (222, 186, 150)), 0.16 * clouds)
    ridge = horizon - 40 * noise(rng, width, 1, (width / 9, 1), 5)[0] - 30
    rows = np.arange(height)[:, None]
    leaves = noise(rng, width, height, (50, 40), 5)
    trees, hedge = rows > ridge, rows > horizon + 8 * noise(rng, width, 1, (60, 1), 3)[0]
    texture[trees] = shade(filled(width, height, (64, 104, 78)), 0.35 * leaves)[trees]
    texture[hedge] = shade(filled(width, height, (46, 122, 66)), 0.42 * noise(rng, width, height, (9, 7), 2))[
        hedge
    ]
    for x in range(0, width, 22):
        top = int(height * 0.72) + int(rng.integers(-5, 6))
        picket = np.array([[x, height], [x, top], [x + 8, top - 10], [x + 16, top], [x + 16, height]])
        cv2.fillPoly(texture, [picket.astype(np.int32)], varied(rng, (206, 214, 218), 0.05), cv2.LINE_AA)
    return texture


def lawn(rng: Generator, width: int, height: int) -> Texture:
    texture = shade(filled(width, height, (58, 132, 84)), 0.25 * noise(rng, width, height, (6, 6), 2))
    texture = shade(texture, 0.12 * noise(rng, width, height, (150, 150), 4))
    scratches(rng, texture, width * height // 500, 4, 40)
    return texture
