"""Procedural prints that hang on walls: paintings, maps, landscapes, herbarium sheets and lines of words."""

import cv2
import numpy as np
from numpy.random import Generator

from reloc_ros.demo.scene.drawing import (
    FONT,
    PALETTES,
    Colour,
    Texture,
    aged,
    borders,
    code,
    disc,
    filled,
    framed,
    line,
    mottled,
    noise,
    oval,
    pick,
    polygon,
    varied,
    word,
    write,
)

HEIGHT_RAMP: tuple[Colour, ...] = (
    (190, 150, 90), (206, 176, 120), (140, 196, 160), (120, 200, 200),
    (120, 176, 214), (86, 130, 186), (96, 110, 150), (230, 232, 236),
)  # fmt: skip
"""From the sea to the snow."""
BLOCK_TONES: tuple[Colour, ...] = (
    (186, 206, 222), (160, 190, 214), (150, 206, 176), (196, 200, 206), (132, 168, 226), (176, 176, 198),
)  # fmt: skip


def painting(rng: Generator, width: int, height: int) -> Texture:
    """Discs, bars and wedges thrown over a warm ground."""
    palette = pick(rng, PALETTES)
    texture = mottled(rng, filled(width, height, palette[5]), (0.12, (60, 60), 5))
    reach = min(width, height)
    for _ in range(70):
        at = rng.uniform(0, [width, height])
        size = reach * rng.uniform(0.015, 0.16)
        colour = varied(rng, pick(rng, palette[:5]), 0.15)
        kind = rng.integers(4)
        if kind == 0:
            disc(texture, at, int(size), colour, int(rng.choice([-1, 3, 6])))
            disc(texture, at, int(size * 0.55), pick(rng, palette))
        elif kind == 1:
            polygon(texture, at + size * rng.uniform(-1.4, 1.4, (3, 2)), colour)
        elif kind == 2:
            line(texture, at, at + size * 3 * rng.uniform(-1, 1, 2), colour, int(rng.integers(2, 9)))
        else:
            for step in range(int(rng.integers(3, 8))):
                spot = at + size * step * np.array([0.4, rng.uniform(-0.1, 0.1)])
                disc(texture, spot, max(2, int(size * 0.14)), colour)
    return framed(aged(rng, texture), (44, 50, 60), 10)


def landscape(rng: Generator, width: int, height: int) -> Texture:
    """Ridges behind ridges under a low sun."""
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([170, 120, 90], np.float32) * (1 - fade) + np.array([120, 190, 246], np.float32) * fade
    texture = np.ascontiguousarray(np.broadcast_to(sky, (height, width, 3)), np.uint8)
    texture = mottled(rng, texture, (0.10, (width / 2, height / 7), 5))
    disc(texture, (width * rng.uniform(0.2, 0.8), height * 0.34), height // 9, (170, 226, 252))
    rows = np.arange(height)[:, None]
    for layer in range(6):
        rise = height * 0.08 * noise(rng, width, 1, (width / (2 + layer), 1), 6)[0]
        crest = height * (0.36 + 0.11 * layer) - rise
        far, near = np.array([150, 120, 110]) * (1 - layer / 7), np.array([20, 60, 36]) * layer / 7
        tone = tuple(int(c) for c in far + near)
        ridge = mottled(rng, filled(width, height, tone), (0.22, (50 - 6 * layer, 20), 4))
        texture = np.where((rows > crest)[..., None], ridge, texture)
    write(texture, code(rng, 5), (width - 80, height - 22, 70, 14), (220, 230, 236))
    return framed(texture, (70, 120, 170), 14)


def botanical(rng: Generator, width: int, height: int) -> Texture:
    """A herbarium sheet: stems with leaves and berries, and handwritten-like captions."""
    texture = filled(width, height, (206, 226, 234))
    for stem in range(4):
        at = np.array([width * (0.2 + 0.2 * stem), height * rng.uniform(0.82, 0.9)])
        heading = -np.pi / 2 + rng.normal(0, 0.15)
        green = varied(rng, (70, 120, 84) if stem % 2 else (96, 104, 60), 0.2)
        for step in range(int(rng.integers(11, 17))):
            heading += rng.normal(0, 0.14)
            forward = at + height * 0.048 * np.array([np.cos(heading), np.sin(heading)])
            line(texture, at, forward, green, 3)
            side = heading + (0.9 if step % 2 else -0.9) + rng.normal(0, 0.2)
            length = width * rng.uniform(0.04, 0.1)
            leaf = (forward + length * np.array([np.cos(side), np.sin(side)])).astype(int)
            half_axes = (int(length), int(length * rng.uniform(0.25, 0.45)))
            oval(texture, leaf, half_axes, np.degrees(side), varied(rng, green, 0.2))
            line(texture, forward, leaf, (190, 210, 200), 1)
            if rng.random() < 0.3:
                berry = leaf + rng.integers(-9, 10, 2)
                disc(texture, berry, int(rng.integers(3, 8)), varied(rng, (60, 60, 190), 0.2))
            at = forward
        caption = (width * (0.07 + 0.22 * stem), height * 0.92, width // 6, 16)
        write(texture, word(rng).lower(), caption, (60, 60, 70))
    return framed(aged(rng, texture), (52, 82, 112), 12)


def lettering(rng: Generator, width: int, height: int) -> Texture:
    """A typographic poster: lines of words, large and small, light on dark and dark on light."""
    palette = pick(rng, PALETTES)
    texture = filled(width, height, palette[5])
    top = 0
    while top < height:
        tall = int(rng.integers(height // 22, height // 7))
        inverse = rng.random() < 0.6
        colour = pick(rng, palette[:5])
        ground, ink = (colour, palette[5]) if inverse else (palette[5], colour)
        cv2.rectangle(texture, (0, top), (width, top + tall), ground, -1)
        left = int(rng.integers(2, 20))
        while left < width:
            text = word(rng) if tall > 24 else f"{word(rng).lower()} {code(rng, 4)}"
            write(texture, text, (left, top + tall // 8, width, tall * 3 // 4), ink, 0.09)
            left += int(cv2.getTextSize(text, FONT, tall * 0.031, 1)[0][0]) + tall // 2
        top += tall
    return aged(rng, texture)


def city_map(rng: Generator, width: int, height: int) -> Texture:
    """A street plan: blocks split at random, bent a little, a river across, streets named."""
    texture = filled(width, height, (214, 226, 232))
    _blocks(rng, texture, (0, 0, width, height), 0)
    xs = np.linspace(-40, width + 40, 60)
    river_y = height * 0.6 + height * 0.18 * noise(rng, 60, 1, (14, 1), 3)[0]
    river = np.stack([xs, river_y], 1).astype(np.int32)
    for thickness, colour in ((44, (176, 150, 110)), (38, (206, 180, 132))):
        cv2.polylines(texture, [river], False, colour, thickness, cv2.LINE_AA)
    texture = _bent(rng, texture, 16)
    for _ in range(width * height // 9000):
        box = (rng.integers(0, width - 60), rng.integers(0, height - 12), rng.integers(38, 90), 11)
        write(texture, word(rng), box, (60, 40, 40), 0.04)
    write(texture, f"PLAN {code(rng, 3)}", (14, 10, width // 2, 34), (30, 30, 150))
    return framed(aged(rng, texture), (58, 66, 74), 8)


def _blocks(rng: Generator, texture: Texture, box: tuple[int, int, int, int], depth: int) -> None:
    left, top, width, height = box
    if depth > 2 and (max(width, height) < 34 or rng.random() < 0.06):
        tone = varied(rng, pick(rng, BLOCK_TONES), 0.06)
        corners = (left + 2, top + 2), (left + width - 3, top + height - 3)
        cv2.rectangle(texture, *corners, tone, -1)
        cv2.rectangle(texture, *corners, (120, 130, 140), 1)
        return
    cut = rng.uniform(0.3, 0.7)
    street = max(0, 5 - depth)
    if width > height:
        first = int(width * cut)
        _blocks(rng, texture, (left, top, first - street, height), depth + 1)
        _blocks(rng, texture, (left + first + street, top, width - first - street, height), depth + 1)
    else:
        first = int(height * cut)
        _blocks(rng, texture, (left, top, width, first - street), depth + 1)
        _blocks(rng, texture, (left, top + first + street, width, height - first - street), depth + 1)


def _bent(rng: Generator, texture: Texture, amount_px: float) -> Texture:
    height, width = texture.shape[:2]
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    xs += amount_px * noise(rng, width, height, (width / 2, height / 2), 2)
    ys += amount_px * noise(rng, width, height, (width / 2, height / 2), 2)
    return cv2.remap(texture, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def contour_map(rng: Generator, width: int, height: int) -> Texture:
    """A topographic sheet: sea, bands of height, contour lines, a grid, spot heights and names."""
    heights = noise(rng, width, height, (width / 3, height / 2.5), 6)
    bands = np.clip(np.floor((heights + 1.4) * 6), 0, 15).astype(np.uint8)
    at = np.linspace(0, 7, 16)
    table = np.stack([np.interp(at, np.arange(8), channel) for channel in np.transpose(HEIGHT_RAMP)], 1)
    texture = table.astype(np.uint8)[bands]
    lines = borders(np.floor((heights + 1.4) * 18).astype(np.int16))
    texture[lines] = (texture[lines] * 0.62).astype(np.uint8)
    for x in range(0, width, 90):
        cv2.line(texture, (x, 0), (x, height), (120, 90, 70), 1)
    for y in range(0, height, 90):
        cv2.line(texture, (0, y), (width, y), (120, 90, 70), 1)
    for _ in range(width * height // 8000):
        x, y = int(rng.integers(8, width - 80)), int(rng.integers(12, height - 14))
        disc(texture, (x, y), int(rng.integers(2, 6)), (36, 36, 160), int(rng.choice([-1, 2])))
        label = word(rng) if rng.random() < 0.6 else str(rng.integers(100, 2900))
        write(texture, label, (x + 8, y - 6, rng.integers(34, 84), 13), (30, 26, 30), 0.045)
    return framed(aged(rng, texture), (206, 214, 220), 14)
