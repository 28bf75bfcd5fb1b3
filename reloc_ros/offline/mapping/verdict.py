"""Whether a model will do for a map, in figures and in plain words, and what to film better if not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reloc_ros.offline.mapping.mappers import ASSUMED_FOCAL_SHARE, Part, describe_parts, runaway_focal_shares
from reloc_ros.offline.mapping.reconstruct import Reconstruction
from reloc_ros.offline.matching.learned import LEARNED
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.triangulate import triangulate
from reloc_ros.offline.sources.gather import Group
from reloc_ros.picture_cells import cells_of_pixels

GRADES = ("good", "usable", "poor")
_CELLS = (8, 6)
"""Columns and rows that an image is cut into to see whether points are all over it."""
_MOST_NAMED = 5
_LIMITS = {
    "registered": (0.9, 0.6),
    "points_per_image": (200.0, 60.0),
    "track_length": (3.5, 2.8),
    "coverage": (0.5, 0.25),
    "parallax": (4.0, 2.0),
    "error": (-0.0011, -0.0022),
}
"""For each figure, from where on it is good, and from where on it is at least usable."""
_ADVICE = {
    "registered": "film slower and with more overlap, and do not turn on the spot",
    "points_per_image": "the place shows few details: film in better light, nearer, and where there is texture",
    "track_length": "points are seen from few sides: go round the place again, at another height or distance",
    "coverage": "large parts of the images hold no points: bring more of the textured place into view, and keep "
    "blank walls, sky and what moves out of it",
    "parallax": "points are seen from nearly one place: move sideways, by a tenth of the distance to what is seen",
    "lens": "the images do not tell their focal length, since the camera went straight ahead, and it was taken to be "
    f"{ASSUMED_FOCAL_SHARE} of their longer side: what is ahead may come out too near or too far; give the intrinsics "
    "(--camera), or film sideways, too",
    "inexact": "learned features lie less exactly than SIFT's, and here too small a part of the images holds any to "
    "make up for it, so that images may lie some percent off: film in better light",
    "error": "the images do not agree well: hold focus and zoom fixed, and keep what moves out of view",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What there is to say about a model; workspaces of earlier versions have less of it."""

    grade: str = ""
    """One of `GRADES`: that of its worst figure."""
    registered_share: float = 0.0
    coverage: float = 0.0
    """Share of an image's area that has points in it, the median over the images."""
    points_per_image: float = 0.0
    """Median."""
    advice: tuple[str, ...] = ()
    """What to film better, in sentences; empty when all is well."""


def judge_model(made: Reconstruction, groups: Sequence[Group]) -> Verdict:
    """Judge a model of some images.

    Args:
        groups: all the images that should be in it.
    """
    model, parts = made.model, made.parts
    images = sum(len(group.names) for group in groups)
    seen = np.bincount(model.observation_image, minlength=len(model.names))
    errors = np.linalg.norm(model.project_observed() - model.observation_px, axis=1)
    figures = {
        "registered": len(model.names) / max(images, 1),
        "points_per_image": float(np.median(seen)),
        "track_length": float(model.track_lengths.mean()),
        "coverage": float(np.median(_coverage(model))),
        "parallax": float(np.median(triangulate(model.observed_rays, len(model.points_map)).angles_deg)),
        "error": -float(np.nanmean(errors / model.image_sizes[model.observation_image, 0])),
    }
    grades = {name: _grade(value, *_LIMITS[name]) for name, value in figures.items()}
    grades["lens"] = int(made.lens_is_assumed)
    grades["steps"] = int(bool(made.odd_steps))
    contradictions = _contradictions(made)
    # Many all over the image make up for inexact features; on a rendered walk that lacked both, a tenth to a fifth
    # of the images lay two to four percent of the place's extent off.
    is_inexact = made.features in LEARNED and min(grades["error"], grades["coverage"]) > 0
    grades["inexact"] = 2 * int(is_inexact)
    is_worthless = made.is_folded or bool(_runaway_focal_lengths(model))
    advice = [_ADVICE[name] for name, grade in grades.items() if grade > 0 and name in _ADVICE]
    return Verdict(
        grade=GRADES[2 if is_worthless else max(grades.values())],
        registered_share=round(figures["registered"], 4),
        coverage=round(figures["coverage"], 3),
        points_per_image=figures["points_per_image"],
        advice=(*contradictions, *_missing(model, groups, parts, images), *advice),
    )


def _contradictions(made: Reconstruction) -> list[str]:
    """What makes a model worthless however small its errors are, in sentences."""
    told = []
    if made.is_folded:
        told.append(
            "the images' own matches contradict the model, so that parts of the place may lie upon others that look "
            "alike: do not use this map; film so that more than what repeats is in view, with more overlap"
        )
    if made.dropped:
        listed = ", ".join(f"'{name}'" for name in made.dropped[:_MOST_NAMED])
        more = f" and {len(made.dropped) - _MOST_NAMED} more" if len(made.dropped) > _MOST_NAMED else ""
        told.append(f"{len(made.dropped)} images disagree with the rest and are left out: {listed}{more}")
    if made.odd_steps:
        step = max(made.odd_steps, key=lambda step: step.ratio)
        told.append(
            f"the camera's steps change {step.ratio:.0f}-fold from '{step.names[0]}' to '{step.names[1]}': if it did "
            "not move so, the map is wrong there"
        )
    return [*told, *_runaway_focal_lengths(made.model)]


def _runaway_focal_lengths(model: SfmModel) -> list[str]:
    return [
        f"the focal length came out as {share:.2f} of the images' longer side, which few cameras have, so it "
        "was hardly determined: give the intrinsics (--camera), or film more sideways than ahead"
        for share in runaway_focal_shares(model)
    ]


def _coverage(model: SfmModel) -> np.ndarray:
    """(I,) the share of each image's cells that show a point."""
    filled = np.zeros((len(model.names), _CELLS[0] * _CELLS[1]), dtype=bool)
    cells = cells_of_pixels(model.observation_px, model.image_sizes[model.observation_image], _CELLS)
    filled[model.observation_image, cells] = True
    return filled.mean(axis=1)


def _grade(value: float, good: float, usable: float) -> int:
    return 0 if value >= good else 1 if value >= usable else 2


def _missing(model: SfmModel, groups: Sequence[Group], parts: Sequence[Part], images: int) -> list[str]:
    told = []
    if len(parts) > 1:
        told.append(
            f"the images fell into {describe_parts(parts, images)}, and the largest is the map; film the way between "
            "the parts"
        )
    placed = set(model.names)
    if len(groups) > 1:
        for group in groups:
            found = sum(name in placed for name in group.names)
            if found < 0.5 * len(group.names):
                told.append(
                    f"only {found} of the {len(group.names)} images of '{group.label}' are in the map; film it so "
                    "that it shows more of what the other sources show"
                )
    return told
