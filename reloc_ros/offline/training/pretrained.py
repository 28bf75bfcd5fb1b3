"""ImageNet weights for the encoder that no package brings, fetched when asked for."""

from __future__ import annotations

import hashlib
import logging
import urllib.request
from pathlib import Path

from reloc_ros.io.atomic import atomic_path

logger = logging.getLogger(__name__)

URLS = {"resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth"}
"""torchvision's weights; the name ends with the first digits of the file's SHA-256."""
TIMEOUT_S = 10.0
"""Without an answer for so long there is no network."""


def fetched_weights(encoder: str, cache: Path | None = None) -> Path | None:
    """torchvision's weights of an encoder, from torch.hub's cache or its server; None, and a warning, without.

    An encoder that has weights of its own needs none of these: None, too.
    """
    url = URLS.get(encoder)
    if url is None:
        return None
    target = (cache or _hub_folder()) / url.rpartition("/")[2]
    if target.is_file():
        return target
    try:
        with atomic_path(target) as temporary:
            _fetch(url, temporary)
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
            if not digest.startswith(target.stem.rpartition("-")[2]):
                raise OSError("what came is not that file")
    except OSError as error:
        logger.warning("no ImageNet weights from %s: %s", url, getattr(error, "reason", error))
        return None
    return target


def _hub_folder() -> Path:
    import torch  # takes seconds, and only this needs it

    return Path(torch.hub.get_dir()) / "checkpoints"


def _fetch(url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, target.open("wb") as stream:
        while block := answer.read(1 << 20):
            stream.write(block)
