"""ImageNet weights for the encoder that no package brings, fetched when asked for. (torch)"""

from __future__ import annotations

import hashlib
import logging
import shutil
import urllib.request
from pathlib import Path

import torch

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
    target = (cache or Path(torch.hub.get_dir()) / "checkpoints") / url.rpartition("/")[2]
    if target.is_file():
        return target
    try:
        with atomic_path(target) as temporary:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, temporary.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
            if not digest.startswith(target.stem.rpartition("-")[2]):
                raise OSError("what came is not that file")
    except OSError as error:
        logger.warning("no ImageNet weights from %s: %s", url, getattr(error, "reason", error))
        return None
    return target
