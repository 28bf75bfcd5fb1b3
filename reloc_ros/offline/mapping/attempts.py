"""The search for a model that its own matches confirm: ways are tried in the order of their cost until one holds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.io.nested_text import read_json
from reloc_ros.offline.mapping.mappers import Part, refuse_fragments, run_mapper
from reloc_ros.offline.mapping.options import SfmOptions
from reloc_ros.offline.mapping.registration import place_in_model
from reloc_ros.offline.mapping.ways import Candidate, Matches, Way, further_ways, judge, limited
from reloc_ros.offline.matching.learned import LEARNED_NAME
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group

PARTS = "parts.json"
"""Of a folder with a model: how it came to be."""


@dataclass(frozen=True)
class FoundModel:
    """The model that was taken, and how it came to be."""

    parts: tuple[Part, ...]
    """The separate pieces that the images fell into, the largest first."""
    told: tuple[str, ...]
    """What was tried beyond the plain way, and what came of it, in sentences."""
    lens_is_assumed: bool = False
    """The images do not tell their focal length, and it was taken to be a usual one."""
    features: str = "sift"
    """Whose matches the model is made of."""


def read_found(sparse: Path, mapper: str, held_out: Set[str]) -> FoundModel | None:
    """The outcome of a search that ended, with this mapper to begin with and without these images; None if none did."""
    try:
        contents = _noted(sparse)
        if contents["mapper"] != mapper or set(contents.get("held_out", ())) != held_out:
            return None
        told, assumed = contents.get("told", ()), contents.get("lens_is_assumed", False)
        parts = tuple(map(tuple, contents["parts"]))
        return FoundModel(parts, tuple(told), bool(assumed), _features(contents))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_features(sparse: Path) -> str:
    """Which features the model there is made of; the usual ones where nothing tells."""
    try:
        return _features(_noted(sparse))
    except (OSError, ValueError):
        return _features({})


def _features(noted: Mapping[str, Any]) -> str:
    return noted.get("features", SfmOptions.features)


def _noted(sparse: Path) -> dict[str, Any]:
    return read_json(sparse / PARTS)


def find_model(
    images_dir: Path,
    groups: Sequence[Group],
    sparse: Path,
    kinds: Sequence[str],
    match: Callable[[str], Path],
    mapper: str,
    progress: Progress,
    held_out: Sequence[Group] = (),
) -> None:
    """Leave the best model in `sparse`/0, and what was found of its parts and ways in `sparse`/parts.json.

    The best is the one with the most images that its own matches confirm.

    Args:
        groups: the images to map.
        kinds: features, those to try first and those to try where they leave images out.
        match: gives the database with the matches of such features.
        held_out: images of the databases that no way knows of; they are placed in the model that was taken.

    Raises:
        RelocError: no way places enough of the images in one model.
    """
    kept_apart = frozenset(name for group in held_out for name in group.names)
    with tempfile.TemporaryDirectory(dir=sparse.parent, prefix="scratch-") as folder:
        search = _Search(images_dir, groups, mapper, progress, Path(folder))
        for features in kinds:
            search.try_features(features, match, kept_apart)
        best, told = search.best, search.told
        parts = () if best is None else best.made.parts
        refuse_fragments(images_dir, parts, search.images)
        with atomic_path(sparse) as temporary:
            shutil.copytree(best.made.folders[0], temporary / "0")
            if held_out:
                placed, unknown = place_in_model(temporary / "0", best.matches.database, held_out)
                parts = ((*parts[0], *placed), *parts[1:])
                told.append(_describe_placed(len(placed), len(kept_apart), unknown))
            outcome = {"mapper": mapper, "held_out": sorted(kept_apart), "parts": parts, "told": told}
            outcome["lens_is_assumed"] = best.way.assumes_lens and any(
                group.camera is None for group in groups
            )
            write_json(temporary / PARTS, outcome | {"features": best.matches.features})


class _Search:
    """Tries ways, and keeps the best model.

    Attributes:
        images: how many there are to place.
        told: what came of the ways beyond the plain one, in sentences.
    """

    def __init__(
        self, images_dir: Path, groups: Sequence[Group], mapper: str, progress: Progress, folder: Path
    ) -> None:
        self.images = sum(len(group.names) for group in groups)
        self.best: Candidate | None = None
        self.told: list[str] = []
        self._images_dir, self._groups, self._mapper = images_dir, groups, mapper
        self._progress, self._folder = progress, folder
        self._tried = 0

    def try_features(self, features: str, match: Callable[[str], Path], kept_apart: Set[str]) -> None:
        """Go the ways to a model by such features, the further ones to mend what these found."""
        named = f"the matches of {LEARNED_NAME}" if self._tried else "all matches"
        plain = Way(named, mapper=self._mapper, places_more=True)
        if self._tried and not plain.may_help(self.best):
            return
        try:
            matches = Matches.read(features, match(features), kept_apart, self._folder)
        except RelocError as error:
            if not self._tried:
                raise
            self.told.append(f"{self._problem()}; mapping again by {named} failed: {error}")
            return
        self._go(plain, matches)
        untried = further_ways(matches.verified, self._groups, self._mapper)
        # Of those that may help the best so far the cheapest; after each it may be one that could not help before.
        while self.best is None or self.best.matches is matches:
            way = next((way for way in untried if way.may_help(self.best)), None)
            if way is None:
                break
            untried.remove(way)
            self._go(way, matches)

    def _go(self, way: Way, matches: Matches) -> None:
        number, self._tried = self._tried, self._tried + 1
        if self.best is not None and self.best.way.assumes_lens and way.mapper == "incremental":
            way = replace(way, assumes_lens=True)  # nothing less led so far
        source = matches.mapped
        if way.pairs is not None:
            source = limited(source, self._folder, way.pairs(self.best))
        try:
            made = run_mapper(
                self._images_dir,
                self._groups,
                source,
                self._folder / str(number),
                way.mapper,
                self._progress,
                way.assumes_lens,
            )
        except RelocError as error:
            if number == 0:
                raise
            self.told.append(f"{self._problem()}; mapping again by {way.name} failed: {error}")
            return
        found, best = judge(way, made, matches, self._groups), self.best
        is_better = found is not None and (
            best is None or found.rank > best.rank or (way.closes_loops and found.rank == best.rank)
        )
        if number:
            self.told.append(f"{self._problem()}; mapped again by {way.name}: {_outcome(found, is_better)}")
        self.best = found if is_better else best

    def _problem(self) -> str:
        best = self.best
        if best is None:
            return "no two images could be placed against each other"
        if best.agreement.is_folded:
            return "the model contradicts its own matches"
        if best.has_runaway_lens:
            return "the focal length ran away"
        if best.is_sound:
            return "the model agrees with its matches"
        return f"only {100 * best.placed_share:.0f} % of {self.images} images were placed"


def _outcome(found: Candidate | None, is_better: bool) -> str:
    if found is None:
        return "nothing was placed"
    confirmed = f"{len(found.agreement.kept)} images that agree"
    return f"{confirmed}, which is taken" if is_better else f"{confirmed}, no better"


def _describe_placed(placed: int, held_out: int, unknown: Sequence[str]) -> str:
    why = (
        f"; {len(unknown)} could not be, as '{unknown[0]}', since no image in the map tells the intrinsics of their "
        "camera: give them (--camera), or hold out fewer of its images"
        if unknown
        else ""
    )
    return f"{placed} of {held_out} held-out images were placed in the finished map{why}"
