"""What the side panel of `reloc web` says, in HTML."""

from __future__ import annotations

import base64
import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.offline.landmarks.labels import Labels, Visibility
from reloc_ros.offline.landmarks.spread import VIEW_NEEDS, Selection
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.sources.photographs import read_photo

Colour = tuple[int, int, int]

STATE_COLOURS: dict[Visibility, Colour] = {
    Visibility.SEEN: (40, 110, 255),
    Visibility.HIDDEN: (225, 45, 45),
    Visibility.UNKNOWN: (150, 150, 150),
}
ENOUGH: Colour = (60, 160, 90)
UNMET: Colour = (245, 150, 20)
POOR: Colour = (150, 75, 160)

AROUND = 0.06
"""A portrait shows this share of the picture's width to each side of the point."""
SIZE = 96
"""Portraits are so many pixels wide and high."""
SHOWN = {Visibility.SEEN: 8, Visibility.UNKNOWN: 2, Visibility.HIDDEN: 2}
"""So many at most of each state."""

HELP = (
    "<b>Click a point</b> of the cloud to make it a landmark, <b>click a landmark</b> to take it away; with Shift, "
    "only look at it. Drag turns, right drag moves, the wheel zooms."
)


def view_colours(selection: Selection) -> list[Colour]:
    """The colour of each view by how many well-spread landmarks it sees."""
    return [
        ENOUGH if enough else UNMET if unmet else POOR
        for enough, unmet in zip(selection.spread >= VIEW_NEEDS, selection.unmet, strict=True)
    ]


def state_colours(visibility: NDArray[np.int8]) -> list[Colour]:
    """The colour of each view by whether it shows the landmark in question, of (I,) states."""
    return [STATE_COLOURS[Visibility(state)] for state in visibility.tolist()]


def paragraph(content: str) -> str:
    """A block as wide as the panel; `content` is HTML."""
    return f'<div style="padding:0 0.75em 0.3em;font-size:0.85em;line-height:1.35">{content}</div>'


def status(selection: Selection, unsaved: bool) -> str:
    """How many landmarks there are, how they serve, and whether that is saved."""
    short = np.count_nonzero(selection.spread < VIEW_NEEDS)
    views = len(selection.spread)
    serve = f"{views - short} of {views} images see {VIEW_NEEDS} well-spread ones"
    saved = _dot(UNMET) + "not saved yet" if unsaved else _dot(ENOUGH) + "saved"
    return paragraph(f"<b>{len(selection.landmarks)} landmarks</b>, {saved}<br>{serve}")


def coverage(names: Sequence[str], selection: Selection) -> str:
    """Each view with the well-spread landmarks it sees, those that see fewest first."""
    legend = (
        f"{_dot(ENOUGH)}enough {_dot(UNMET)}more would help {_dot(POOR)}has too few points<br>"
        f"Well-spread landmarks seen, of the {VIEW_NEEDS} an image needs:"
    )
    rows = []
    colours = view_colours(selection)
    for image in np.argsort(selection.spread, kind="stable").tolist():
        count = int(selection.spread[image])
        share = min(count / VIEW_NEEDS, 1)
        bar = f'<div style="width:{100 * share:.0f}%;height:100%;background:{_css(colours[image])}"></div>'
        rows.append(
            '<div style="display:flex;align-items:center;gap:0.5em">'
            f'<span style="flex:1;overflow:hidden;text-overflow:ellipsis;white-space:nowrap">'
            f"{html.escape(names[image])}</span>"
            f'<div style="width:5em;height:0.5em;background:#8883">{bar}</div>'
            f'<span style="width:2em;text-align:right">{count}</span></div>'
        )
    return paragraph(
        f'{legend}<div style="max-height:16em;overflow-y:auto;padding-right:0.5em">{"".join(rows)}</div>'
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """One landmark in one image."""

    image: int
    """Which of the map images."""
    state: Visibility
    picture: NDArray[np.uint8]
    """(SIZE, SIZE, 3) BGR, the landmark in the middle."""


def portraits(model: SfmModel, labels: Labels, images_dir: Path) -> list[Portrait]:
    """The one landmark of `labels` in some images that it projects into: first where it is seen."""
    made = []
    for state, most in SHOWN.items():
        images = [
            image
            for image in np.flatnonzero(labels.visibility[:, 0] == state).tolist()
            if model.camera(image).contains(labels.keypoints_px[image, :1])[0]
        ]
        for image in _spread_out(images, most):
            photo = read_photo(images_dir / model.names[image])
            made.append(Portrait(image, state, _cut(photo, labels.keypoints_px[image, 0])))
    return made


def _spread_out(images: list[int], most: int) -> list[int]:
    """At most so many of them, evenly: neighbours in the film look alike."""
    if len(images) <= most:
        return images
    return [images[round(place)] for place in np.linspace(0, len(images) - 1, most)]


def _cut(photo: NDArray[np.uint8], pixel: NDArray[np.float32]) -> NDArray[np.uint8]:
    side = max(3, round(2 * AROUND * photo.shape[1]))
    patch = cv2.getRectSubPix(photo, (side, side), pixel.astype(float).tolist())
    patch = cv2.resize(patch, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # to be seen on dark and on bright
        cv2.circle(patch, (8 * SIZE // 2 - 4, 8 * SIZE // 2 - 4), 8 * 7, colour, thickness, cv2.LINE_AA, 3)
    return patch


def point(title: str, labels: Labels, found: Sequence[Portrait], note: str) -> str:
    """A point: in how many images it is seen, and how it looks there; `title` and `note` are plain text."""
    states = labels.visibility[:, 0]
    counts = " ".join(
        f"{_dot(colour)}{state.name.lower()} in {np.count_nonzero(states == state)}"
        for state, colour in STATE_COLOURS.items()
    )
    figures = "".join(_figure(portrait, labels.names[portrait.image]) for portrait in found)
    return paragraph(
        f"<b>{html.escape(title)}</b><br>{counts}<br>"
        f'<div style="display:flex;flex-wrap:wrap;gap:4px;margin-top:4px">{figures}</div>'
        f'<span style="opacity:0.7">{html.escape(note)}</span>'
    )


def _figure(portrait: Portrait, name: str) -> str:
    _, encoded = cv2.imencode(".jpg", portrait.picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    data = base64.b64encode(encoded.tobytes()).decode()
    title = html.escape(f"{name}: {portrait.state.name.lower()}", quote=True)
    return (
        f'<img src="data:image/jpeg;base64,{data}" title="{title}" alt="{title}" '
        f'style="width:5.6em;border:3px solid {_css(STATE_COLOURS[portrait.state])};border-radius:3px">'
    )


def _dot(colour: Colour) -> str:
    return f'<span style="color:{_css(colour)}">&#9679;</span>&nbsp;'


def _css(colour: Colour) -> str:
    return f"rgb{colour}".replace(" ", "")
