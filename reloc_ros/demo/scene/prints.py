"""Procedural posters, and the writing that all printed matter shares."""

import string

import cv2
import numpy as np
from numpy.random import Generator

from reloc_ros.demo.scene.materials import FONT, PALETTES, Colour, Texture, filled, noise, shade, varied

WORDS = (
    "LANDMARK", "ATLAS", "HORIZON", "SEXTANT", "MERIDIAN", "LIGHTHOUSE", "COMPASS", "HARBOUR", "ANCHOR",
    "BEACON", "ZENITH", "PARALLAX", "TRIPOD", "LANTERN", "ORCHARD", "VOYAGE", "MARINER", "QUADRANT", "TIDE",
    "ISLAND", "CARTOGRAPHY", "NORTH", "POLARIS", "AZIMUTH", "BEARING", "DEPTH", "STRAIT", "ESTUARY",
    "GLACIER", "SUMMIT",
)  # fmt: skip


def word(rng: Generator) -> str:
    return str(rng.choice(WORDS))


def code(rng: Generator, length: int = 7) -> str:
    return "".join(rng.choice(list(string.ascii_uppercase + string.digits), length))


def write(
    texture: Texture, text: str, box: tuple[int, int, int, int], colour: Colour, weight: float = 0.055
) -> None:
    """Write `text` as large as fits the box (left, top, width, height), strokes `weight` of its height."""
    left, top, width, height = box
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
    height, width = texture.shape[:2]
    return shade(
        texture, 0.05 * noise(rng, width, height, (90, 90), 4) + 0.05 * noise(rng, width, height, (3, 3), 1)
    )


def painting(rng: Generator, width: int, height: int) -> Texture:
    """Discs, bars and wedges thrown over a warm ground."""
    palette = PALETTES[int(rng.integers(4))]
    texture = shade(filled(width, height, palette[5]), 0.12 * noise(rng, width, height, (60, 60), 5))
    reach = min(width, height)
    for _ in range(70):
        at = rng.uniform(0, [width, height])
        size = reach * rng.uniform(0.015, 0.16)
        colour = varied(rng, palette[int(rng.integers(5))], 0.15)
        kind = rng.integers(4)
        if kind == 0:
            cv2.circle(
                texture, at.astype(int).tolist(), int(size), colour, int(rng.choice([-1, 3, 6])), cv2.LINE_AA
            )
            cv2.circle(
                texture,
                at.astype(int).tolist(),
                int(size * 0.55),
                palette[int(rng.integers(6))],
                -1,
                cv2.LINE_AA,
            )
        elif kind == 1:
            wedge = at + size * rng.uniform(-1.4, 1.4, (3, 2))
            cv2.fillPoly(texture, [wedge.astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 2:
            end = at + size * 3 * rng.uniform(-1, 1, 2)
            cv2.line(
                texture,
                at.astype(int).tolist(),
                end.astype(int).tolist(),
                colour,
                int(rng.integers(2, 9)),
                cv2.LINE_AA,
            )
        else:
            for step in range(int(rng.integers(3, 8))):
                spot = (at + size * step * np.array([0.4, rng.uniform(-0.1, 0.1)])).astype(int).tolist()
                cv2.circle(texture, spot, max(2, int(size * 0.14)), colour, -1, cv2.LINE_AA)
    return framed(aged(rng, texture), (44, 50, 60), 10)


def landscape(rng: Generator, width: int, height: int) -> Texture:
    """Ridges behind ridges under a low sun."""
    fade = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([170, 120, 90], np.float32) * (1 - fade) + np.array([120, 190, 246], np.float32) * fade
    texture = np.ascontiguousarray(np.broadcast_to(sky, (height, width, 3)), np.uint8)
    texture = shade(texture, 0.10 * noise(rng, width, height, (width / 2, height / 7), 5))
    cv2.circle(
        texture,
        (int(width * rng.uniform(0.2, 0.8)), int(height * 0.34)),
        height // 9,
        (170, 226, 252),
        -1,
        cv2.LINE_AA,
    )
    rows = np.arange(height)[:, None]
    for layer in range(6):
        crest = (
            height * (0.36 + 0.11 * layer)
            - height * 0.08 * noise(rng, width, 1, (width / (2 + layer), 1), 6)[0]
        )
        tone = tuple(
            int(c) for c in np.array([150, 120, 110]) * (1 - layer / 7) + np.array([20, 60, 36]) * layer / 7
        )
        ridge = shade(filled(width, height, tone), 0.22 * noise(rng, width, height, (50 - 6 * layer, 20), 4))
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
            cv2.line(texture, at.astype(int).tolist(), forward.astype(int).tolist(), green, 3, cv2.LINE_AA)
            side = heading + (0.9 if step % 2 else -0.9) + rng.normal(0, 0.2)
            length = width * rng.uniform(0.04, 0.1)
            leaf = (forward + length * np.array([np.cos(side), np.sin(side)])).astype(int).tolist()
            axes = (int(length), int(length * rng.uniform(0.25, 0.45)))
            cv2.ellipse(
                texture, leaf, axes, np.degrees(side), 0, 360, varied(rng, green, 0.2), -1, cv2.LINE_AA
            )
            cv2.line(texture, forward.astype(int).tolist(), leaf, (190, 210, 200), 1, cv2.LINE_AA)
            if rng.random() < 0.3:
                berry = (leaf[0] + int(rng.integers(-9, 10)), leaf[1] + int(rng.integers(-9, 10)))
                cv2.circle(
                    texture, berry, int(rng.integers(3, 8)), varied(rng, (60, 60, 190), 0.2), -1, cv2.LINE_AA
                )
            at = forward
        write(
            texture,
            word(rng).lower(),
            (int(width * (0.07 + 0.22 * stem)), int(height * 0.92), width // 6, 16),
            (60, 60, 70),
        )
    return framed(aged(rng, texture), (52, 82, 112), 12)


def lettering(rng: Generator, width: int, height: int) -> Texture:
    """A typographic poster: lines of words, large and small, light on dark and dark on light."""
    palette = PALETTES[int(rng.integers(4))]
    texture = filled(width, height, palette[5])
    top = 0
    while top < height:
        tall = int(rng.integers(height // 22, height // 7))
        ground, ink = (
            (palette[int(rng.integers(5))], palette[5])
            if rng.random() < 0.6
            else (palette[5], palette[int(rng.integers(5))])
        )
        cv2.rectangle(texture, (0, top), (width, top + tall), ground, -1)
        left = int(rng.integers(2, 20))
        while left < width:
            text = word(rng) if tall > 24 else f"{word(rng).lower()} {code(rng, 4)}"
            write(texture, text, (left, top + tall // 8, width, tall * 3 // 4), ink, 0.09)
            left += int(cv2.getTextSize(text, FONT, tall * 0.031, 1)[0][0]) + tall // 2
        top += tall
    return aged(rng, texture)
