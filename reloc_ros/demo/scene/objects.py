"""Procedural surfaces of things: books, cartons, patchwork."""

import cv2
import numpy as np
from numpy.random import Generator

from reloc_ros.demo.scene.drawing import (
    PALETTES,
    Texture,
    aged,
    code,
    filled,
    mottled,
    noise,
    oval,
    pick,
    polygon,
    shade,
    varied,
    word,
    write,
)


def cover(rng: Generator, width: int, height: int) -> Texture:
    """The front of a book or a box of goods."""
    palette = pick(rng, PALETTES)
    ground = pick(rng, palette[:5])
    texture = mottled(rng, filled(width, height, varied(rng, ground, 0.15)), (0.10, (30, 30), 4))
    for _ in range(int(rng.integers(4, 9))):
        at, size = rng.uniform(0, [width, height]), min(width, height) * rng.uniform(0.05, 0.3)
        shape = (at + size * rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2))).astype(np.int32)
        polygon(texture, cv2.convexHull(shape), varied(rng, pick(rng, palette), 0.12))
    for row in range(int(rng.integers(2, 5))):
        box = (width * 0.06, height * (0.06 + 0.24 * row), width * 0.88, height * rng.uniform(0.07, 0.18))
        write(texture, word(rng) if row < 2 else code(rng, 9), box, palette[5], 0.08)
    return aged(rng, texture)


def spine(rng: Generator, width: int, height: int) -> Texture:
    """The back of a book: bands and a title along its height."""
    texture = filled(height, width, varied(rng, pick(rng, pick(rng, PALETTES)), 0.2))
    bright = texture[0, 0].mean() > 130
    ink = (40, 34, 34) if bright else (216, 228, 236)
    for _ in range(int(rng.integers(1, 4))):
        x = int(rng.integers(0, height))
        colour = varied(rng, pick(rng, PALETTES[1]), 0.2)
        cv2.line(texture, (x, 0), (x, width), colour, int(rng.integers(2, 10)))
    write(texture, word(rng), (height // 10, width // 5, height * 3 // 5, width * 3 // 5), ink, 0.09)
    write(texture, code(rng, 3), (height * 3 // 4, width // 4, height // 5, width // 2), ink, 0.07)
    return aged(rng, cv2.rotate(texture, cv2.ROTATE_90_CLOCKWISE))


def carton(rng: Generator, width: int, height: int) -> Texture:
    """Corrugated cardboard with tape, a shipping label, stamps and wear."""
    flutes = 0.03 * noise(rng, width, height, (400, 4), 1) + 0.09 * noise(rng, width, height, (60, 60), 5)
    texture = shade(filled(width, height, varied(rng, (112, 152, 190), 0.1)), flutes)
    tape, reach = int(height * rng.uniform(0.1, 0.9)), height // 18
    tone = varied(rng, (120, 170, 206), 0.15)
    cv2.rectangle(texture, (0, tape - reach), (width, tape + reach), tone, -1)
    label_w, label_h = int(width * rng.uniform(0.35, 0.5)), int(height * rng.uniform(0.25, 0.4))
    x, y = int(rng.integers(4, width - label_w - 3)), int(rng.integers(4, height - label_h - 3))
    texture[y : y + label_h, x : x + label_w] = _label(rng, label_w, label_h)
    for _ in range(int(rng.integers(2, 5))):
        at = (rng.integers(0, max(1, width * 2 // 3)), rng.integers(0, max(1, height * 4 // 5)))
        ink = varied(rng, (52, 52, 150) if rng.random() < 0.5 else (60, 50, 44), 0.2)
        write(texture, code(rng, int(rng.integers(3, 8))), (*at, width // 3, height // 8), ink, 0.1)
    for _ in range(max(6, width * height // 2500)):
        spot = (rng.integers(0, width), rng.integers(0, height))
        half_axes = (int(rng.integers(1, 6)), int(rng.integers(1, 4)))
        oval(texture, spot, half_axes, rng.uniform(0, 180), varied(rng, (92, 128, 164), 0.25))
    return texture


def _label(rng: Generator, width: int, height: int) -> Texture:
    label = filled(width, height, (232, 236, 238))
    cv2.rectangle(label, (1, 1), (width - 2, height - 2), (40, 40, 40), 1)
    x = 4
    while x < width - 6:  # a bar code
        bar = int(rng.integers(1, 5))
        cv2.rectangle(label, (x, 4), (x + bar, height // 3), (24, 24, 24), -1)
        x += bar + int(rng.integers(2, 5))
    for row in range(3):
        box = (5, height * (0.4 + 0.19 * row), width * rng.uniform(0.5, 0.95), max(6, height // 7))
        write(label, f"{word(rng)} {code(rng, 4)}", box, (30, 30, 30), 0.06)
    return label


def cushion(rng: Generator, width: int, height: int) -> Texture:
    """Patchwork: squares of different prints."""
    texture = filled(width, height, (180, 190, 200))
    patch = max(24, min(width, height) // 4)
    for y in range(0, height, patch):
        for x in range(0, width, patch):
            region = texture[y : y + patch, x : x + patch]
            region[:] = cover(rng, patch, patch)[: region.shape[0], : region.shape[1]]
    return texture
