"""The steps between a mapped workspace and a bundle: each reads what the one before wrote, and is done only once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reloc_ros.bundle import (
    FEATURES,
    REFERENCES,
    Bundle,
    NetworkShape,
    write_bundle,
)
from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.inference.backends import make_backend
from reloc_ros.landmarks import Landmarks
from reloc_ros.local_features.sift import Sift
from reloc_ros.localizer import Localizer, LocalizerConfig
from reloc_ros.offline.bundling.calibrate import calibrate
from reloc_ros.offline.bundling.calibrate_features import calibrate_features
from reloc_ros.offline.bundling.choose_references import make_references
from reloc_ros.offline.bundling.find_likes import LikesFinder
from reloc_ros.offline.bundling.gather_features import Gathered, compact, features_to_bundle, sift_features
from reloc_ros.offline.bundling.trial_pictures import Photo
from reloc_ros.offline.landmarks.label_step import label_step as label_step  # one of the steps, too
from reloc_ros.offline.landmarks.select_step import select_step as select_step  # and another
from reloc_ros.offline.measuring.evaluate import check_conditions, evaluate, held_out_queries, own_methods
from reloc_ros.offline.measuring.scores import Score, write_evaluation
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.workspace_model import frame_facts, frame_summary, map_model, read_map_photo
from reloc_ros.offline.places.parts import network_files
from reloc_ros.offline.places.train_step import refuse_stale
from reloc_ros.offline.places.train_step import train_step as train_step  # and a third
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.pruning.pruned import lasting_model, pruned_inputs, read_pruned
from reloc_ros.offline.workspace import Workspace

logger = logging.getLogger(__name__)


def export_step(
    workspace: Workspace, output: Path, with_torch: bool = False, progress: Progress = silent
) -> Bundle:
    """Write the bundle to `output`."""
    from reloc_ros.offline.places.bundle_models import write_models as write_networks

    trained = refuse_stale(workspace)
    shape = NetworkShape(**trained["shape"])
    pruned = read_pruned(workspace)
    model, landmarks = lasting_model(workspace, pruned), Landmarks.load(workspace.landmarks_path)
    gathered = features_to_bundle(workspace, model, progress)
    features = None if gathered is None else compact(gathered, model)

    def write_models(folder: Path) -> None:
        unseen = _unseen(trained)
        made_from.update(write_networks(folder, workspace, model, shape, unseen, with_torch, progress))
        likes_of = None if gathered is None else LikesFinder(model, gathered).find
        references = make_references(model, workspace.images_dir, likes_of, progress)
        if references is not None:
            references.save(folder / REFERENCES)
        if features is not None:
            features.known.save(folder / FEATURES)
            made_from["features"] = features.told | {"bytes": (folder / FEATURES).stat().st_size}

    made_from: dict[str, Any] = {
        "map_images": len(model.names),
        "held_out": workspace.holdout,
        "points": len(model.points_map),
        "training_steps": trained["steps"],
        "encoder_weights": trained["encoder_weights"],
        "map_frame": frame_summary(frame_facts(workspace)),
    }
    bundle = write_bundle(
        output,
        scale=workspace.scale,
        camera=model.main_camera,
        cameras=model.distinct_cameras(),
        network=shape,
        landmarks=landmarks,
        ignored=pruned.rows_of(landmarks).tolist(),
        made_from=made_from,
        write_models=write_models,
        calibrate=lambda bundle: _calibrate(workspace, model, trained, bundle, features, progress),
    )
    sizes = {file.name: file.stat().st_size for file in sorted(bundle.path.iterdir())}
    summary = {"bytes": sizes, "int8": made_from["int8"]}
    workspace.record("export", _bundle_inputs(workspace), summary=summary)
    return bundle


def _calibrate(
    workspace: Workspace,
    model: SfmModel,
    trained: dict[str, Any],
    bundle: Bundle,
    features: Gathered | None,
    progress: Progress,
) -> dict[str, Calibration]:
    """Calibrate by the images that training did not see; once for the same network."""
    names = _unseen(trained)
    if not names:
        logger.warning("the bundle is not calibrated: training saw all images, see reloc train --validation")
        return {}
    rows = [model.names.index(name) for name in names]

    def photos() -> list[Photo]:
        shown = [(row, read_map_photo(workspace.images_dir, model, row)) for row in rows]
        return [
            Photo(image, model.camera(row), model.camera_from_map[row], model.names[row])
            for row, image in shown
        ]

    measures = {"calibrate": lambda: calibrate(bundle, make_backend(bundle), photos(), progress=progress)}
    if features is not None:
        others = features.without(rows).known
        measures["calibrate_features"] = lambda: calibrate_features(
            bundle, others, photos(), progress=progress
        )
    inputs = _calibration_inputs(workspace)
    for step, measure in measures.items():
        if not workspace.is_current(step, inputs):
            workspace.record(step, inputs, summary=measure().to_json())
    kinds = {"calibrate": "calibration", "calibrate_features": "features_calibration"}
    return {kinds[step]: Calibration.from_json(workspace.summary(step)) for step in measures}


def _unseen(trained: dict[str, Any]) -> list[str]:
    """The map images that training did not see."""
    return (trained.get("validation") or {}).get("images") or []


def is_of_this_network(workspace: Workspace, step: str) -> bool:
    """Whether "calibrate", "export" or "evaluate" was done with the network that the workspace holds now."""
    inputs = _calibration_inputs if step == "calibrate" else _bundle_inputs
    return workspace.is_current(step, inputs(workspace))


def _calibration_inputs(workspace: Workspace) -> dict[str, Any]:
    return _bundle_inputs(workspace) | {
        "entries": sorted(UNCALIBRATED.to_json()),
        "config": LocalizerConfig(),
    }


def _bundle_inputs(workspace: Workspace) -> dict[str, Any]:
    networks = network_files(workspace)
    return {
        "network": networks[0] if len(networks) == 1 else networks,
        "landmarks": workspace.landmarks_path,
        "model": workspace.model_path,
        **pruned_inputs(workspace),
    }


def own_bundle(workspace: Workspace, progress: Progress = silent) -> Path:
    """The bundle that a workspace keeps to be measured: what `reloc export` would write, made where it is not there."""
    path = workspace.path / "bundle"
    inputs = _bundle_inputs(workspace) | {"config": LocalizerConfig()}  # it was calibrated with that
    if not workspace.is_current("bundle", inputs):
        export_step(workspace, path, progress=progress)
        workspace.record("bundle", inputs, [path])
    return path


def evaluate_step(
    workspace: Workspace,
    conditions: Sequence[str],
    backend: str = "auto",
    with_sift: bool = False,
    threads: int = 0,
    precision: str = "auto",
    progress: Progress = silent,
    refine: bool = True,
) -> list[Score]:
    """Score the deployable on the held-out images: what `reloc export` would write is what is measured."""
    check_conditions(conditions)
    model = SfmModel.load(workspace.model_path)
    held_out = workspace.is_held_out(model.names)
    queries = held_out_queries(model, held_out)
    config = LocalizerConfig(refine=refine)
    localizer = Localizer.from_bundle(own_bundle(workspace, progress), backend, config, threads, precision)
    methods = own_methods(localizer)
    if with_sift:
        from reloc_ros.offline.measuring.features import FeatureBaseline

        known = sift_features(workspace, map_model(workspace), progress).known
        methods["SIFT + LO-RANSAC"] = FeatureBaseline(Sift(), known).localize
    metric = workspace.scale == "metric"
    landmarks = localizer.bundle.landmarks
    scores = evaluate(methods, queries, workspace.images_dir, landmarks, metric, conditions, progress)
    write_evaluation(workspace.evaluation_path, scores)
    workspace.record("evaluate", _bundle_inputs(workspace), [workspace.evaluation_path])
    return scores
