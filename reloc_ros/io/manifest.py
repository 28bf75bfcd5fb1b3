"""The manifest of a bundle: what the folder holds, and a hash of each file and of the manifest itself.

The hashes find damage. They keep nobody out: whoever alters a bundle on purpose writes new ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reloc_ros.errors import RelocError
from reloc_ros.io.nested_text import read_json

logger = logging.getLogger(__name__)

KIND = "reloc_ros bundle"
FORMAT = 1
MANIFEST = "manifest.json"
_OWN_DIGEST = "sha256"
"""Of the manifest, in it."""


def write_manifest(folder: Path, told: Mapping[str, Any]) -> None:
    """Write what a folder's manifest says, under its kind and format; the caller makes that atomic."""
    manifest = {"kind": KIND, "format": FORMAT, **told}
    text = json.dumps({**manifest, _OWN_DIGEST: _digest_of_values(manifest)}, indent=1, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _digest_of_values(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what it says, however it is written."""
    told = {name: value for name, value in manifest.items() if name != _OWN_DIGEST}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, Any]:
    """What the manifest of a folder says; refused with a sentence where it is none, newer, or damaged."""
    file = path / MANIFEST
    if not path.is_dir():
        raise RelocError(f"bundle {path} is not a folder; give the folder that reloc export wrote")
    if not file.is_file():
        raise RelocError(
            f"{path} is not a bundle: it has no {MANIFEST}; give the folder that reloc export wrote"
        )
    try:
        manifest = read_json(file)
    except (OSError, ValueError) as error:
        raise RelocError(
            f"{file} cannot be read as JSON; the bundle is damaged, export or copy it again"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise RelocError(f"{file} is not the manifest of a {KIND}; give the folder that reloc export wrote")
    version = manifest.get("format")
    if not isinstance(version, int) or version < 1:
        raise RelocError(
            f"{file} has format {version!r}; this version reads format {FORMAT}, export the bundle again"
        )
    if version > FORMAT:
        raise RelocError(
            f"{path} has bundle format {version}, newer than {FORMAT}; update reloc_ros to use it"
        )
    if _OWN_DIGEST not in manifest:
        logger.debug("%s was written before manifests had a hash: damage to it may go unseen", file)
    elif manifest[_OWN_DIGEST] != _digest_of_values(manifest):
        raise RelocError(f"{file} is altered (its SHA-256 differs); export or copy the bundle again")
    return manifest


def verify_file(path: Path, name: str, digest: str) -> None:
    """Refuse a file that is not in the folder, beside the manifest, or not as it was when that was written."""
    if Path(name).name != name:
        raise RelocError(
            f"{path / MANIFEST} names {name!r}, which is not a plain file name; export the bundle again"
        )
    file = path / name
    if not file.is_file():
        raise RelocError(f"bundle {path} lacks {name}; it is incomplete, export or copy it again")
    # All may be links, as colcon's --symlink-install makes them, to where the bundle really is.
    if file.resolve().parent != (path / MANIFEST).resolve().parent:
        raise RelocError(
            f"{file} is a link that leaves the bundle; copy the bundle with the files themselves"
        )
    if digest_of(file) != digest:
        raise RelocError(
            f"{file} is truncated or altered (its SHA-256 differs); export or copy the bundle again"
        )


def digest_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        hasher = hashlib.sha256()
        while block := stream.read(1 << 20):
            hasher.update(block)
        return hasher.hexdigest()
