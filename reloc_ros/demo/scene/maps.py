"""Procedural maps: a street plan and a topographic sheet."""

import cv2
import numpy as np
from numpy.random import Generator

from reloc_ros.demo.scene.materials import Colour, Texture, filled, noise, varied
from reloc_ros.demo.scene.prints import aged, code, framed, word, write

HEIGHT_RAMP: tuple[Colour, ...] = (
    (190, 150, 90), (206, 176, 120), (140, 196, 160), (120, 200, 200),
    (120, 176, 214), (86, 130, 186), (96, 110, 150), (230, 232, 236),
)  # fmt: skip
"""From the sea to the snow."""


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
        box = (
            int(rng.integers(0, width - 60)),
            int(rng.integers(0, height - 12)),
            int(rng.integers(38, 90)),
            11,
        )
        write(texture, word(rng), box, (60, 40, 40), 0.04)
    write(texture, f"PLAN {code(rng, 3)}", (14, 10, width // 2, 34), (30, 30, 150))
    return framed(aged(rng, texture), (58, 66, 74), 8)


def _blocks(rng: Generator, texture: Texture, box: tuple[int, int, int, int], depth: int) -> None:
    left, top, width, height = box
    if depth > 2 and (max(width, height) < 34 or rng.random() < 0.06):
        tones = (
            (186, 206, 222),
            (160, 190, 214),
            (150, 206, 176),
            (196, 200, 206),
            (132, 168, 226),
            (176, 176, 198),
        )
        tone = varied(rng, tones[int(rng.integers(len(tones)))], 0.06)
        cv2.rectangle(texture, (left + 2, top + 2), (left + width - 3, top + height - 3), tone, -1)
        cv2.rectangle(texture, (left + 2, top + 2), (left + width - 3, top + height - 3), (120, 130, 140), 1)
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
    table = np.stack(
        [
            np.interp(np.linspace(0, 7, 16), np.arange(8), channel)
            for channel in zip(*HEIGHT_RAMP, strict=True)
        ],
        1,
    )
    texture = table.astype(np.uint8)[bands]
    fine = np.floor((heights + 1.4) * 18).astype(np.int16)
    lines = (np.diff(fine, axis=0, append=fine[-1:]) != 0) | (np.diff(fine, axis=1, append=fine[:, -1:]) != 0)
    texture[lines] = (texture[lines] * 0.62).astype(np.uint8)
    for x in range(0, width, 90):
        cv2.line(texture, (x, 0), (x, height), (120, 90, 70), 1)
    for y in range(0, height, 90):
        cv2.line(texture, (0, y), (width, y), (120, 90, 70), 1)
    for _ in range(width * height // 8000):
        x, y = int(rng.integers(8, width - 80)), int(rng.integers(12, height - 14))
        cv2.circle(
            texture, (x, y), int(rng.integers(2, 6)), (36, 36, 160), int(rng.choice([-1, 2])), cv2.LINE_AA
        )
        label = word(rng) if rng.random() < 0.6 else str(rng.integers(100, 2900))
        write(texture, label, (x + 8, y - 6, int(rng.integers(34, 84)), 13), (30, 26, 30), 0.045)
    return framed(aged(rng, texture), (206, 214, 220), 14)
