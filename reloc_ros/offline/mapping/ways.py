"""Ways from matches to a model, and what each makes of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from reloc_ros.offline.mapping.consistency import (
    AGREES,
    Agreement,
    measure_agreement,
    order_distance,
    places_in_order,
)
from reloc_ros.offline.mapping.mappers import MAPPERS, Made, runaway_focal_shares
from reloc_ros.offline.matching.features import VerifiedPair, verified_pairs
from reloc_ros.offline.model.colmap_files import read_colmap
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
class Way:
    """How to go about mapping."""

    name: str
    pairs: Callable[[Candidate | None], Sequence[VerifiedPair]] | None = None
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

    def may_help(self, best: Candidate | None) -> bool:
        if best is None:
            return self.places_more
        if self.closes_loops:
            return best.way.pairs is not None and best.is_sound
        if best.agreement.is_folded:
            return self.unfolds
        fell_apart = self.unfolds and best.way.pairs is not None
        return not best.is_sound and (self.places_more or fell_apart)


@dataclass(frozen=True, eq=False)
class Matches:
    """What one kind of features tells of the images to map."""

    features: str
    database: Path
    mapped: Path
    """The database without the two-view geometries of images that are kept apart."""
    verified: list[VerifiedPair]
    """Those in it."""

    @staticmethod
    def read(features: str, database: Path, kept_apart: Set[str], folder: Path) -> Matches:
        verified = [pair for pair in verified_pairs(database) if kept_apart.isdisjoint(pair.names)]
        mapped = limited(database, folder, verified) if kept_apart else database
        return Matches(features, database, mapped, verified)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model, and what its own matches say of it."""

    way: Way
    matches: Matches
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


def further_ways(verified: Sequence[VerifiedPair], groups: Sequence[Group], mapper: str) -> list[Way]:
    """In the order of their cost, what may mend the model of a plain way."""
    places = places_in_order(verified, [group.names for group in groups])
    other = next(name for name in MAPPERS if name != mapper)
    if places:
        near, wide = (
            [pair for pair in verified if order_distance(places, pair.names) <= reach]
            for reach in (NEAR_OVERLAP, WIDE_OVERLAP)
        )
        strict = [
            Way("the order of the walk alone", lambda best: near, unfolds=True),
            Way("the order of the walk, wider", lambda best: wide, unfolds=True),
        ]
    else:
        near = _best_partners(verified)
        strict = [Way("each image's best partners alone", lambda best: near, unfolds=True)]

    def with_agreeing(best: Candidate | None) -> list[VerifiedPair]:
        trusted = best.agreeing() | {frozenset(pair.names) for pair in near} if best else set()
        return [pair for pair in verified if frozenset(pair.names) in trusted]

    return [
        *strict,
        Way("these and all that agrees with them", with_agreeing, closes_loops=True),
        Way("a start along the camera's motion, its intrinsics held", assumes_lens=True, places_more=True),
        Way(f"COLMAP's {other} mapper", mapper=other, unfolds=True, places_more=True),
    ]


def judge(way: Way, made: Made, matches: Matches, groups: Sequence[Group]) -> Candidate | None:
    """What a way made of the images of all groups; None if it placed nothing."""
    if not made.parts:
        return None
    model = read_colmap(made.folders[0])
    agreement = measure_agreement(model, matches.verified, [group.names for group in groups])
    placed_share = len(model.names) / sum(len(group.names) for group in groups)
    return Candidate(way, matches, made, agreement, placed_share, bool(runaway_focal_shares(model)))


def limited(database: Path, folder: Path, pairs: Sequence[VerifiedPair]) -> Path:
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


def _best_partners(verified: Sequence[VerifiedPair]) -> list[VerifiedPair]:
    """The pairs that are among the best of either of their images, by the number of matches."""
    kept: dict[str, int] = {}
    chosen = []
    for pair in sorted(verified, key=lambda pair: -len(pair.first_px)):
        if min(kept.get(name, 0) for name in pair.names) < BEST_PARTNERS:
            chosen.append(pair)
            kept |= {name: kept.get(name, 0) + 1 for name in pair.names}
    return chosen
