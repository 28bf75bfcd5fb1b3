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
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace

HOLDOUT = "every:10:0"
TRUTH = "truth.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a building, and where it was taken."""

    name: str
    place: str
    session: int
    camera_from_map: SE3
    is_query: bool

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
            taken = walk(building, place, number, rng), queries(building, place, wanted, rng)
            for is_query, poses in enumerate(taken):
                planned += [
                    Picture(f"{session}-{place}-{i:03}.jpg", place, session, pose, bool(is_query))
                    for i, pose in enumerate(poses)
                ]
    return planned


def take(
    building: Building, pictures: list[Picture], folder: Path, progress: Progress
) -> NDArray[np.float32]:
    """Render the pictures into images/ and queries/ of a folder; their grids of depths (N, h, w)."""
    grids, renderer, at = [], None, None
    for is_query in ("images", "queries"):
        (folder / is_query).mkdir(parents=True)
    for number, picture in enumerate(pictures):
        progress("render", number, len(pictures))
        if at != (picture.place, picture.session):
            at = picture.place, picture.session
            renderer = Renderer(building.seen_from(*at), CAMERA)
        view = renderer.render(picture.camera_from_map)
        image = LIGHTS[picture.session].exposure.record(view.image, seed=number)
        file = folder / ("queries" if picture.is_query else "images") / picture.name
        cv2.imwrite(str(file), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        grids.append(depth_grid(view.depths))
    progress("render", len(pictures), len(pictures))
    return np.array(grids)


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
    order = sorted(
        (i for i, each in enumerate(pictures) if not each.is_query), key=lambda i: pictures[i].name
    )
    mapped = [pictures[i] for i in order]
    names, poses = [each.name for each in mapped], [each.camera_from_map for each in mapped]
    pairs = neighbours(CAMERA, poses, grids[order], np.array([each.session for each in mapped]))
    model = map_at_poses(folder / "model", folder / "images", CAMERA, names, poses, pairs, progress)
    lines = (f"{name} {format_tum_pose(pose.inverse())}\n" for name, pose in zip(names, poses, strict=True))
    (folder / "trajectory.txt").write_text("".join(lines), encoding="utf-8")
    workspace = Workspace.create(folder / "ws", folder / "images", names, HOLDOUT)
    model.save(workspace.model_path)
    workspace.record("map", {}, [workspace.model_path], {"models": 1})
    align(workspace, AlignSources(trajectory=folder / "trajectory.txt"))
    kinds = {
        kind: {each.name: each.to_json() for each in pictures if each.is_query == (kind == "queries")}
        for kind in ("images", "queries")
    }
    held_out = [name for name, held in zip(names, workspace.is_held_out(names), strict=True) if held]
    facts = {"columns": building.columns, "twins": list(building.twins), "held_out": held_out}
    write_json(folder / TRUTH, facts | kinds)
    return workspace
