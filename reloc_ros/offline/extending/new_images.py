"""Bring new images together with those of a map, each under the one name that it keeps."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from reloc_ros.io.atomic import atomic_path, write_json
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sources.frame_extraction import FORMAT, NOTES, read_notes
from reloc_ros.offline.sources.gather import Gathered, Group, SourceOptions, gather, link_photo, unlike


@dataclass(frozen=True)
class NewImages:
    """What a map lacks of some sources."""

    groups: tuple[Group, ...]
    """One for each source that has such images; they are named by a folder of their own."""
    files: dict[str, Path]
    """Where each of them is now."""
    present: dict[str, str]
    """Images of the sources that the map holds already, byte for byte, and what they are called there."""
    remarks: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.files))


def find_new_images(
    sources: Sequence[Path],
    folder: Path,
    images_dir: Path,
    known: Sequence[str],
    reading: SourceOptions,
    progress: Progress = silent,
) -> NewImages:
    """Read sources, and tell what of them is new.

    Args:
        folder: takes frames of videos and bags, and copies of photographs.
        images_dir: where the images of the map are.
        known: their names.
    """
    gathered = gather(sources, folder, reading, progress)
    same = _same_files(gathered.images_dir, gathered.names, images_dir, known)
    taken = {PurePosixPath(name).parts[0] for name in known}
    groups, files = [], {}
    for group in gathered.groups:
        label = unlike(Path(group.label).stem, taken)
        taken.add(label)
        names = [name for name in group.names if name not in same]
        placed = {f"{label}/{_bare(name, group, gathered)}": gathered.images_dir / name for name in names}
        files |= placed
        if placed:
            groups.append(replace(group, label=label, names=tuple(placed)))
    return NewImages(tuple(groups), files, same, gathered.remarks)


def link_all(images_dir: Path, known: Iterable[str], new: NewImages, target: Path) -> None:
    """Make a folder that holds the images of a map and new ones, and the notes on frames; it appears when complete."""
    with atomic_path(target) as temporary:
        for name in known:
            link_photo(images_dir / name, temporary / name)
        for name, file in new.files.items():
            link_photo(file, temporary / name)
        notes = read_notes(images_dir)
        labels = list(notes.get("sources", ()))
        for label in labels:
            _link_notes(images_dir / label, temporary / label)
        for group in new.groups:
            _link_notes(new.files[group.names[0]].parent, temporary / group.label)
        labels += [group.label for group in new.groups]
        write_json(temporary / NOTES, {"format": FORMAT, **notes, "sources": labels})


def _link_notes(folder: Path, target: Path) -> None:
    if (folder / NOTES).is_file():
        link_photo(folder / NOTES, target / NOTES)


def _bare(name: str, group: Group, gathered: Gathered) -> str:
    return name if len(gathered.groups) == 1 else name.removeprefix(f"{group.label}/")


def _same_files(
    images_dir: Path, names: Sequence[str], known_dir: Path, known: Sequence[str]
) -> dict[str, str]:
    """Images that are the same as known ones, and which."""
    by_size = defaultdict(list)
    for name in known:
        if (known_dir / name).is_file():
            by_size[(known_dir / name).stat().st_size].append(name)
    digests: dict[int, dict[str, str]] = {}
    same = {}
    for name in names:
        size = (images_dir / name).stat().st_size
        if size not in digests:
            digests[size] = {_digest(known_dir / one): one for one in by_size[size]}
        if digests[size] and (found := digests[size].get(_digest(images_dir / name))) is not None:
            same[name] = found
    return same


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
