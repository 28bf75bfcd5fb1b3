"""Ways to a model that its own matches confirm, tried in the order of their cost until one of them holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reloc_ros.errors import RelocError
from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.offline.mapping.consistency import (
    AGREES,
    Agreement,
    measure_agreement,
    order_distance,
    places_in_order,
)
from reloc_ros.offline.mapping.features import VerifiedPair, verified_pairs
from reloc_ros.offline.mapping.mappers import (
    MAPPERS,
    Made,
    Part,
    refuse_fragments,
    run_mapper,
    runaway_focal_shares,
)
from reloc_ros.offline.mapping.registration import place_in_model
from reloc_ros.offline.model.colmap_files import read_colmap
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.sources.gather import Group

MIN_PLACED_SHARE = 0.9
"""Of all images: with fewer, other ways are tried."""
NEAR_OVERLAP = 4
"""Where things repeat along a walk, images are matched with so many next ones alone."""
WIDE_OVERLAP = 16
"""With so many where the walk falls to pieces by those: a camera that turned round and went on sees the door that it
goes through from the middle of its turn, not from the end."""
BEST_PARTNERS = 6
"""Where images are in no order, of each only the pairs with those it matches best are taken."""


@dataclass(frozen=True)
class FoundModel:
    """The model that was taken, and how it came to be."""

    parts: tuple[Part, ...]
    """The separate pieces that the images fell into, the largest first."""
    told: tuple[str, ...]
    """What was tried beyond the plain way, and what came of it, in sentences."""
    lens_is_assumed: bool = False
    """The images do not tell their focal length, and it was taken to be a usual one."""


@dataclass(frozen=True)
class _Way:
    name: str
    pairs: Callable[[_Candidate | None], Sequence[VerifiedPair]] | None = None
    """Map from these alone, by what there is so far; from all that the database holds if None."""
    mapper: str = "incremental"
    assumes_lens: bool = False
    """Intrinsics that nothing tells are assumed and held, and the start may be along the camera's motion."""
    unfolds: bool = False
    """It may mend a model that contradicts its matches."""
    places_more: bool = False
    """It may place images that found no place."""
    closes_loops: bool = False
    """It may better what some pairs alone led to, however sound that is."""

    def may_help(self, best: _Candidate | None) -> bool:
        if best is None:
            return self.places_more
        if self.closes_loops:
            return best.way.pairs is not None and best.is_sound
        if best.agreement.is_folded:
            return self.unfolds
        fell_apart = self.unfolds and best.way.pairs is not None
        return not best.is_sound and (self.places_more or fell_apart)


@dataclass(frozen=True, eq=False)
class _Candidate:
    way: _Way
    made: Made
    agreement: Agreement
    placed_share: float
    has_runaway_lens: bool

    @property
    def is_sound(self) -> bool:
        is_whole = self.placed_share >= MIN_PLACED_SHARE
        return is_whole and not (self.agreement.is_folded or self.has_runaway_lens)

    @property
    def rank(self) -> tuple[bool, int]:
        return not self.has_runaway_lens, len(self.agreement.kept)

    def agreeing(self) -> set[frozenset[str]]:
        """Names of the pairs that the model confirms."""
        names = self.made.parts[0]
        return {
            frozenset((names[a], names[b])) for a, b in self.agreement.pairs[self.agreement.shares >= AGREES]
        }


def read_found(sparse: Path, mapper: str, held_out: Set[str]) -> FoundModel | None:
    """The outcome of a search that ended, with this mapper to begin with and without these images; None if none did."""
    try:
        contents = json.loads((sparse / "parts.json").read_text(encoding="utf-8"))
        if contents["mapper"] != mapper or set(contents.get("held_out", ())) != held_out:
            return None
        told, assumed = contents.get("told", ()), contents.get("lens_is_assumed", False)
        return FoundModel(tuple(map(tuple, contents["parts"])), tuple(told), bool(assumed))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_model(
    images_dir: Path,
    groups: Sequence[Group],
    sparse: Path,
    database: Path,
    mapper: str,
    progress: Progress,
    held_out: Sequence[Group] = (),
) -> None:
    """Leave the best model in `sparse`/0, and what was found of its parts and ways in `sparse`/parts.json.

    The best is the one with the most images that its own matches confirm.

    Args:
        groups: the images to map.
        held_out: images of the database that no way knows of; they are placed in the model that was taken.

    Raises:
        RelocError: no way places enough of the images in one model.
    """
    images = sum(len(group.names) for group in groups)
    kept_apart = {name for group in held_out for name in group.names}
    verified = [pair for pair in verified_pairs(database) if kept_apart.isdisjoint(pair.names)]
    best: _Candidate | None = None
    told: list[str] = []
    with tempfile.TemporaryDirectory(dir=sparse.parent, prefix="scratch-") as folder:
        mapped = _limited(database, Path(folder), verified) if held_out else database
        for number, way in enumerate(_ways(verified, groups, mapper)):
            if number and not way.may_help(best):
                continue
            source = mapped if way.pairs is None else _limited(mapped, Path(folder), way.pairs(best))
            scratch = Path(folder) / str(number)
            try:
                made = run_mapper(images_dir, groups, source, scratch, way.mapper, progress, way.assumes_lens)
            except RelocError as error:
                if number == 0:
                    raise
                told.append(f"{_problem(best, images)}; mapping again by {way.name} failed: {error}")
                continue
            found = _candidate(way, made, verified, groups, images)
            is_better = found is not None and (
                best is None or found.rank > best.rank or (way.closes_loops and found.rank == best.rank)
            )
            if number:
                told.append(
                    f"{_problem(best, images)}; mapped again by {way.name}: {_outcome(found, is_better)}"
                )
            best = found if is_better else best
        parts = () if best is None else best.made.parts
        refuse_fragments(images_dir, parts, images)
        with atomic_path(sparse) as temporary:
            shutil.copytree(best.made.folders[0], temporary / "0")
            if held_out:
                placed, unknown = place_in_model(temporary / "0", database, held_out)
                parts = ((*parts[0], *placed), *parts[1:])
                told.append(_describe_placed(len(placed), len(kept_apart), unknown))
            assumed = best.way.assumes_lens and any(group.camera is None for group in groups)
            outcome = {"mapper": mapper, "held_out": sorted(kept_apart), "parts": parts, "told": told}
            write_json(temporary / "parts.json", outcome | {"lens_is_assumed": assumed})


def _ways(verified: Sequence[VerifiedPair], groups: Sequence[Group], mapper: str) -> list[_Way]:
    places = places_in_order(verified, [group.names for group in groups])
    other = next(name for name in MAPPERS if name != mapper)
    if places:
        near, wide = (
            [pair for pair in verified if order_distance(places, pair.names) <= reach]
            for reach in (NEAR_OVERLAP, WIDE_OVERLAP)
        )
        limited = [
            _Way("the order of the walk alone", lambda best: near, unfolds=True),
            _Way("the order of the walk, wider", lambda best: wide, unfolds=True),
        ]
    else:
        near = _best_partners(verified)
        limited = [_Way("each image's best partners alone", lambda best: near, unfolds=True)]

    def with_agreeing(best: _Candidate | None) -> list[VerifiedPair]:
        trusted = best.agreeing() | {frozenset(pair.names) for pair in near} if best else set()
        return [pair for pair in verified if frozenset(pair.names) in trusted]

    return [
        _Way("all matches", mapper=mapper),
        *limited,
        _Way("these and all that agrees with them", with_agreeing, closes_loops=True),
        _Way("a start along the camera's motion, its intrinsics held", assumes_lens=True, places_more=True),
        _Way(f"COLMAP's {other} mapper", mapper=other, unfolds=True, places_more=True),
    ]


def _candidate(
    way: _Way, made: Made, verified: Sequence[VerifiedPair], groups: Sequence[Group], images: int
) -> _Candidate | None:
    if not made.parts:
        return None
    model = read_colmap(made.folders[0])
    agreement = measure_agreement(model, verified, [group.names for group in groups])
    return _Candidate(way, made, agreement, len(model.names) / images, bool(runaway_focal_shares(model)))


def _problem(best: _Candidate | None, images: int) -> str:
    if best is None:
        return "no two images could be placed against each other"
    if best.agreement.is_folded:
        return "the model contradicts its own matches"
    if best.has_runaway_lens:
        return "the focal length ran away"
    if best.is_sound:
        return "the model agrees with its matches"
    return f"only {100 * best.placed_share:.0f} % of {images} images were placed"


def _outcome(found: _Candidate | None, is_better: bool) -> str:
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


def _best_partners(verified: Sequence[VerifiedPair]) -> list[VerifiedPair]:
    """The pairs that are among the best of either of their images, by the number of matches."""
    kept: dict[str, int] = {}
    chosen = []
    for pair in sorted(verified, key=lambda pair: -len(pair.first_px)):
        if min(kept.get(name, 0) for name in pair.names) < BEST_PARTNERS:
            chosen.append(pair)
            kept |= {name: kept.get(name, 0) + 1 for name in pair.names}
    return chosen


def _limited(database: Path, folder: Path, pairs: Sequence[VerifiedPair]) -> Path:
    """A copy of a COLMAP database with the two-view geometries of some pairs alone."""
    import pycolmap

    kept = {frozenset(pair.names) for pair in pairs}
    copy = folder / f"{database.stem}-limited.db"
    shutil.copyfile(database, copy)
    with closing(pycolmap.Database.open(str(copy))) as opened:
        names = {image.image_id: image.name for image in opened.read_all_images()}
        for pair_id in opened.read_two_view_geometries()[0]:
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            if frozenset((names[first], names[second])) not in kept:
                opened.delete_two_view_geometry(first, second)
    return copy
