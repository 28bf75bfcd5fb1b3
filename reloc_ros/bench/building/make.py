"""A building in files: its photographs, a map of them in metres, pictures to ask about, and the truth of all."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc_ros.bench.building.known_poses import depth_grid, map_at_poses, neighbours
from reloc_ros.bench.building.rooms import LIGHTS, Building
from reloc_ros.bench.building.walks import pictures_of_places, queries, walk
from reloc_ros.demo.film.trajectories import CAMERA
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.io.atomic import write_json
from reloc_ros.io.tum import format_tum_pose
from reloc_ros.offline.align.map_frame import align
from reloc_ros.offline.align.sources import AlignSources
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace

HOLDOUT = "every:10:0"
TRUTH, TRAJECTORY = "truth.json", "trajectory.txt"


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a building, and where it was taken."""

    name: str
    kind: str
    """The folder it is in: images or queries."""
    place: str
    session: int
    camera_from_map: SE3

    def to_json(self) -> dict[str, Any]:
        pose = self.camera_from_map
        written = {"rotation_wxyz": pose.quaternion_wxyz.tolist(), "translation": pose.translation.tolist()}
        return {"place": self.place, "session": self.session, "camera_from_map": written}


def plan(
    building: Building, images: int, sessions: int, asked: int, asked_twin: int, seed: int
) -> list[Picture]:
    """All the pictures, those of a place and session together, `asked` queries each place in all."""
    rng = np.random.default_rng(seed)
    planned = []
    for session in range(sessions):
        count = images * (session + 1) // sessions - images * session // sessions
        for place, number in pictures_of_places(building, count).items():
            wanted = asked_twin if place in building.twins else asked
            wanted = wanted * (session + 1) // sessions - wanted * session // sessions
            mapped = walk(building, place, number, rng), "images", ""
            asked_about = queries(building, place, wanted, rng), "queries", "q"
            for poses, kind, mark in (mapped, asked_about):
                names = (f"{session}-{place}-{mark}{i:03}.jpg" for i in range(len(poses)))
                planned += [
                    Picture(name, kind, place, session, pose) for name, pose in zip(names, poses, strict=True)
                ]
    return planned


def take(
    building: Building, pictures: list[Picture], folder: Path, progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """Render the pictures into the folders of their kinds; the grid of depths (h, w) of each, by its name."""
    grids, renderer, at = {}, None, None
    for kind in ("images", "queries"):
        (folder / kind).mkdir(parents=True)
    for number, picture in enumerate(pictures):
        progress("render", number, len(pictures))
        if at != (picture.place, picture.session):
            at = picture.place, picture.session
            renderer = Renderer(building.seen_from(*at), CAMERA)
        view = renderer.render(picture.camera_from_map)
        image = LIGHTS[picture.session].exposure.record(view.image, seed=number)
        cv2.imwrite(str(folder / picture.kind / picture.name), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        grids[picture.name] = depth_grid(view.depths)
    progress("render", len(pictures), len(pictures))
    return grids


def make(
    folder: Path,
    building: Building,
    images: int,
    sessions: int,
    asked: int,
    asked_twin: int,
    seed: int = 0,
    progress: Progress = silent,
) -> Workspace:
    """Write a building into a new folder: images/ and queries/, model/ by COLMAP, ws/ in metres, and the truth."""
    pictures = plan(building, images, sessions, asked, asked_twin, seed)
    grids = take(building, pictures, folder, progress)
    mapped = sorted((each for each in pictures if each.kind == "images"), key=lambda each: each.name)
    names, poses = [each.name for each in mapped], [each.camera_from_map for each in mapped]
    seen, taken_in = np.array([grids[name] for name in names]), np.array([each.session for each in mapped])
    pairs = neighbours(CAMERA, poses, seen, taken_in)
    model = map_at_poses(folder / "model", folder / "images", CAMERA, names, poses, pairs, progress)
    lines = (f"{name} {format_tum_pose(pose.inverse())}\n" for name, pose in zip(names, poses, strict=True))
    (folder / TRAJECTORY).write_text("".join(lines), encoding="utf-8")
    workspace = write_workspace(folder / "ws", folder, model)
    held_out = [name for name, held in zip(names, workspace.is_held_out(names), strict=True) if held]
    facts = {"columns": building.columns, "twins": list(building.twins), "held_out": held_out}
    for kind in ("images", "queries"):
        facts[kind] = {each.name: each.to_json() for each in pictures if each.kind == kind}
    write_json(folder / TRUTH, facts)
    return workspace


def write_workspace(path: Path, building: Path, model: SfmModel) -> Workspace:
    """A workspace in metres of a map of some of a building's images, every tenth of which is held out."""
    workspace = Workspace.create(path, building / "images", model.names, HOLDOUT)
    model.save(workspace.model_path)
    workspace.record("map", {}, [workspace.model_path], {"models": 1})
    align(workspace, AlignSources(trajectory=building / TRAJECTORY))
    return workspace
