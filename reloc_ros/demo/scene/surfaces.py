"""Procedural surfaces of a place: floors, walls, wood, and the garden around; each of a size in pixels."""

import cv2
import numpy as np
from numpy.random import Generator

from reloc_ros.demo.scene.drawing import (
    PALETTES,
    Colour,
    Texture,
    borders,
    filled,
    mottled,
    noise,
    oval,
    pick,
    polygon,
    scratches,
    shade,
    varied,
)


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
    texture = mottled(rng, texture, (0.11, (180, 6), 3), (0.10, (90, 60), 4))
    scratches(rng, texture, width * height // 4500, 9)
    return texture


def _knot(rng: Generator, texture: Texture, x: int, y: int, tone: Colour) -> None:
    y += int(rng.integers(-14, 15))
    for ring in range(int(rng.integers(3, 7)), 0, -1):
        darker = tuple(int(c * (0.62 + 0.07 * ring * (ring % 2))) for c in tone)
        half_axes = (3 + 4 * ring, 2 + 2 * ring)
        oval(texture, (x, y), half_axes, rng.uniform(-12, 12), darker, 2 if ring > 1 else -1)


def bricks(rng: Generator, width: int, height: int, brick_px: tuple[int, int] = (104, 36)) -> Texture:
    """A brick wall whose bricks differ in length, tone and damage; some are painted over."""
    texture = mottled(rng, filled(width, height, (158, 172, 182)), (0.12, (8, 8), 2))
    length, course = brick_px
    for top in range(0, height, course):
        left = -int(rng.integers(0, length))
        while left < width:
            this = int(length * rng.choice([0.5, 0.95, 1.0, 1.08]))
            base = (74, 92, 168) if rng.random() > 0.16 else pick(rng, pick(rng, PALETTES)[:5])
            x0, y0, x1, y1 = left + 3, top + 3, left + this - 3, top + course - 3
            corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) + rng.integers(-2, 3, (4, 2))
            cv2.fillConvexPoly(texture, corners, varied(rng, base, 0.17), cv2.LINE_AA)
            left += this
    texture = mottled(rng, texture, (0.16, (26, 18), 4), (0.07, (400, 300), 2))
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
    palette = np.array(pick(rng, PALETTES))
    drift = noise(rng, width, height, (width / 2, height / 4), 3)[seeds == 0]
    choice = (np.floor(drift * 2.2 + rng.normal(0, 0.9, len(drift))).astype(int)) % len(palette)
    colours = np.clip(palette[choice] * rng.normal(1, 0.13, (len(choice), 1)), 0, 255)
    # Labels number the seed pixels in raster order, from 1: the order of the boolean index above.
    texture = colours.astype(np.uint8)[labels - 1]
    grout = borders(labels)
    texture[cv2.dilate(grout.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0] = (64, 66, 70)
    return mottled(rng, texture, (0.10, (12, 12), 2))


def wood(rng: Generator, width: int, height: int, colour: Colour = (70, 108, 160)) -> Texture:
    """Planed wood with flowing grain along the longer side."""
    across = (9.0, 160.0) if height > width else (160.0, 9.0)
    bend = noise(rng, width, height, (150, 150), 2)
    grain = np.sin(6 * bend + 9 * noise(rng, width, height, across, 2)).astype(np.float32)
    texture = filled(width, height, varied(rng, colour, 0.08))
    texture = shade(texture, 0.13 * grain + 0.10 * noise(rng, width, height, (40, 40), 4))
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
    return mottled(rng, texture, (0.12, (5, 3), 2), (0.08, (120, 120), 3))


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
        polygon(texture, np.round(star), pick(rng, palette))
        radius = int(radius * rng.uniform(0.45, 0.75))


def garden(rng: Generator, width: int, height: int) -> Texture:
    """What lies outside: sky with clouds, trees, a hedge and a picket fence."""
    horizon = int(height * 0.45)
    texture = mottled(rng, filled(width, height, (222, 186, 150)), (0.16, (width / 5, height / 8), 5))
    ridge = horizon - 40 * noise(rng, width, 1, (width / 9, 1), 5)[0] - 30
    rows = np.arange(height)[:, None]
    leaves = mottled(rng, filled(width, height, (64, 104, 78)), (0.35, (50, 40), 5))
    trees, hedge = rows > ridge, rows > horizon + 8 * noise(rng, width, 1, (60, 1), 3)[0]
    texture[trees] = leaves[trees]
    texture[hedge] = mottled(rng, filled(width, height, (46, 122, 66)), (0.42, (9, 7), 2))[hedge]
    for x in range(0, width, 22):
        top = int(height * 0.72) + int(rng.integers(-5, 6))
        picket = [[x, height], [x, top], [x + 8, top - 10], [x + 16, top], [x + 16, height]]
        polygon(texture, picket, varied(rng, (206, 214, 218), 0.05))
    return texture


def lawn(rng: Generator, width: int, height: int) -> Texture:
    texture = mottled(rng, filled(width, height, (58, 132, 84)), (0.25, (6, 6), 2))
    texture = mottled(rng, texture, (0.12, (150, 150), 4))
    scratches(rng, texture, width * height // 500, 4, 40)
    return texture
