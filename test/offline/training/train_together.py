"""Run by test_train_together.py in two processes: train a workspace and say what this process got."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

from reloc_ros.offline import steps
from reloc_ros.offline.training import feature_cache, train
from reloc_ros.offline.training.augment import AugmentConfig
from reloc_ros.offline.training.recipe import Hardware, TrainConfig
from reloc_ros.offline.workspace import Workspace


def main(workspace: Path, told: Path) -> None:
    torch.set_num_threads(1)
    feature_cache.importlib = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    ends = []

    def remember(*arguments, **options):
        result = original(*arguments, **options)
        ends.append(result[0])
        return result

    original, train.train_network = train.train_network, remember
    config = TrainConfig(
        width=64, views=16, steps=6, batch=4, augment=AugmentConfig(max_boxes=1), validation="every:5:1"
    )
    summary = steps.train_step(Workspace.open(workspace), config, hardware=Hardware("cpu", 2, strategy="ddp"))
    weights = b"".join(value.numpy().tobytes() for value in ends[0].head.state_dict().values())
    number = os.environ.get("LOCAL_RANK", "0")
    report = {"weights": hashlib.sha256(weights).hexdigest(), "summary": summary}
    (told / f"{number}.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
