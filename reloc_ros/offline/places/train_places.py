"""Train the networks of the places of a map, each a job of its own, here or by dask's workers."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reloc_ros.bundle import TORCH, NetworkShape
from reloc_ros.errors import RelocError, first_line
from reloc_ros.io.atomic import write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.landmarks.labels import Labels
from reloc_ros.offline.places.parts import Part, parts_of
from reloc_ros.offline.places.train_part import inputs_of, labelled_images, train_part
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.workspace import Workspace, fingerprint


@dataclasses.dataclass(frozen=True)
class Jobs:
    """Who trains the places."""

    workers: int = 1
    """Processes on this computer; one is this process itself."""
    cluster: str = ""
    """Instead, the address of dask's scheduler, whose workers see the workspace under the same path."""


def train_places(
    workspace: Workspace,
    parts: Sequence[Part],
    labels: Labels,
    config: Any,
    progress: Progress,
    jobs: Jobs,
    **how: Any,
) -> dict[str, Any]:
    """Train the networks of places; those whose landmarks and images are as they were stay as they are."""
    from reloc_ros.inference.encoders import make_encoder
    from reloc_ros.offline.training.train import network_shape

    hardware = how.get("hardware")
    if hardware is not None and (hardware.devices > 1 or hardware.nodes > 1):
        raise RelocError(
            f"the map has {len(parts)} places, which are trained one by each of several workers: give --workers or "
            "--cluster instead of --devices or --nodes"
        )
    images, _ = labelled_images(workspace, labels, parts[0])
    shape = network_shape(images, labels, config)
    if not make_encoder(shape.encoder).FROZEN:
        raise RelocError(
            f"the places of a map share one encoder, and {shape.encoder} is trained with each network; use "
            "efficientnet_lite0, which is frozen"
        )
    common = {
        "size": (shape.width, shape.height),
        "unseen": unseen_images(labels.names, config.validation),
        **how,
    }
    with _workers(jobs, len(parts)) as (count, threads, run):
        rounds = -(-len(parts) // count)
        minutes = None if config.minutes is None else config.minutes / rounds
        done = []
        for summary in run(
            partial(_train_place, workspace.path, config, minutes, threads, common), range(len(parts))
        ):
            done.append(summary)
            progress("train places", len(done), len(parts))
    return _together(shape, parts, sorted(done, key=lambda summary: summary["place"]))


def unseen_images(names: Sequence[str], rule: str) -> list[str]:
    """The map images that no network is trained on, though each validates with those of its place only.

    `auto` takes about every tenth, and asks nothing but its name: so it stays so when images are added to the map.
    """
    from reloc_ros.offline.training.recipe import AUTO
    from reloc_ros.offline.training.validation import AUTO_EVERY, validation_images

    if rule == AUTO:
        return [name for name in names if zlib.crc32(name.encode()) % AUTO_EVERY == 0]
    return [name for name, unseen in zip(names, validation_images(names, rule), strict=True) if unseen]


def _train_place(
    path: Path, config: Any, minutes: float | None, threads: int, common: dict[str, Any], place: int
) -> dict[str, Any]:
    """Train the network of a place, unless there is one of the same landmarks, images and recipe."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    workspace = Workspace(path)
    labels = Labels.load(workspace.labels_path)
    part = parts_of(workspace, labels)[place]
    mine = labels.of_images(part.images).of_landmarks(part.landmarks)
    unseen = [name for name in mine.names if name in set(common["unseen"])]
    key = fingerprint(inputs_of(mine, config) | {"size": common["size"], "unseen": unseen})
    note = workspace.train_dir / f"{part.name}.json"
    known = read_json(note) if note.is_file() else {}
    if known.get("key") == key and (workspace.train_dir / (part.name + TORCH)).is_file():
        return known["summary"] | {"place": place}
    how = common | {"unseen": unseen}
    summary = train_part(workspace, part, mine, dataclasses.replace(config, minutes=minutes), silent, **how)
    write_json(note, {"key": key, "summary": summary})
    return summary | {"place": place}


def _together(shape: NetworkShape, parts: Sequence[Part], done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is told of all networks: sums, means, and the images that none of them saw."""
    places = tuple(len(part.landmarks) for part in parts)
    validated = [one["validation"] for one in done if one["validation"]]
    conditions = {
        name: {value: _mean([v["conditions"][name][value] for v in validated]) for value in found}
        for name, found in (validated[0]["conditions"] if validated else {}).items()
    }
    images = sorted({name for one in validated for name in one["images"]})
    return {
        "steps": sum(one["steps"] for one in done),
        "seconds": sum(one["seconds"] for one in done),
        "encoder_weights": done[0]["encoder_weights"],
        "losses": {name: _mean([one["losses"][name] for one in done]) for name in done[0]["losses"]},
        "validation": {
            "images": images,
            "copies": sum(v["copies"] for v in validated),
            "conditions": conditions,
        }
        if validated
        else None,
        "shape": dataclasses.asdict(dataclasses.replace(shape, groups=1, places=places)),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


Run = Callable[[Callable[[int], dict[str, Any]], Sequence[int]], Iterable[dict[str, Any]]]


@contextlib.contextmanager
def _workers(jobs: Jobs, places: int) -> Iterator[tuple[int, int, Run]]:
    """How many work at once, with how many threads each (0: as many as they like), and what has them work."""
    if jobs.workers <= 1 and not jobs.cluster:
        yield 1, 0, map
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise RelocError("several workers need dask: run pip install distributed") from error
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of each socket
    with contextlib.ExitStack() as opened:
        if jobs.cluster:
            client = opened.enter_context(_connected(Client, jobs.cluster))
            count, threads = len(client.ncores()), 0
        else:
            count = min(jobs.workers, places)
            threads = max(1, len(os.sched_getaffinity(0)) // count)
            # No limit of memory: what training takes does not depend on its place.
            local = LocalCluster(
                n_workers=count, threads_per_worker=1, memory_limit=0, dashboard_address=None
            )
            client = opened.enter_context(Client(opened.enter_context(local)))
        if count == 0:
            raise RelocError(
                f"the scheduler at {jobs.cluster} has no workers; start some with: dask worker {jobs.cluster}"
            )
        yield count, threads, partial(_run_by, client)


def _connected(client: Any, address: str) -> Any:
    try:
        return client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise RelocError(f"no dask scheduler answers at {address}: {first_line(error)}") from error


def _run_by(
    client: Any, function: Callable[[int], dict[str, Any]], places: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """What the workers return, as they finish; what one leaves that ends is done by another."""
    from distributed import KilledWorker, as_completed

    futures = client.map(function, list(places), pure=False)
    for future in as_completed(futures):
        try:
            yield future.result()
        except KilledWorker as error:
            raise RelocError(
                f"place {futures.index(future)} ended its worker each time that it was tried: is there too little "
                "memory? What is trained is kept; give fewer --workers"
            ) from error
