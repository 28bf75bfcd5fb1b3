"""Finds the examples for the run's picture: what the network saw in them, by the very bundle that the node used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reloc_ros.demo.film.rendered_walk import RenderedWalk
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.result.picture import Example, choose_examples, draw
from reloc_ros.demo.result.record import Sighting, Summary
from reloc_ros.localizer import Localizer


def draw_run(
    path: Path, bundle: Path, walk: RenderedWalk, sightings: Sequence[Sighting], summary: Summary
) -> None:
    """Write the picture of a run.

    The poses in it are those that came over ROS; keypoints are on no topic, so they are found once more.
    """
    brightness = [exposure.brightness for exposure in walk.trajectory.exposures]
    chosen = choose_examples(sightings, brightness)
    localizer = Localizer.from_bundle(bundle)
    examples = []
    for sighting in chosen:
        image = walk.picture(sighting.index)
        result = localizer.localize(image, CAMERA)
        examples.append(Example(sighting, image, result.keypoints.positions_px, result.inliers))
    draw(path, sightings, summary, examples, walk.room(), CAMERA)
