"""The training loop around the network: Lightning's, with our clock, curves and checkpoints.    (torch, lightning)"""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import logging
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import Tensor, nn

from reloc_ros.errors import RelocError
from reloc_ros.inference.network import LandmarkNetwork
from reloc_ros.inference.processor import has_fast_bfloat16
from reloc_ros.io.atomic import atomic_path
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.training.feature_cache import Batch
from reloc_ros.offline.training.losses import landmark_loss
from reloc_ros.offline.training.optimizer import MuonAndAdamW
from reloc_ros.offline.training.recipe import Hardware, TrainConfig
from reloc_ros.offline.training.schedule import Keeper, Schedule

CHECKPOINT_SECONDS = 30.0
"""A stopped training loses about this much, and less at its beginning."""
CURVE_STEPS = 5
"""The curves have the mean of so many steps."""


def is_first_process() -> bool:
    """Whether this process is the one of possibly several that writes; Lightning starts them with their numbers set."""
    return rank_zero_only.rank == 0 and LightningEnvironment().node_rank() == 0


class LandmarkTraining(lightning.LightningModule):
    """The landmark loss and its optimizer, whose rates follow the schedule. A frozen encoder takes no part."""

    def __init__(self, network: LandmarkNetwork, config: TrainConfig, frozen: bool) -> None:
        super().__init__()
        self.network, self.config, self.frozen = network, config, frozen
        self.schedule = Schedule(config.steps, None)
        self.fraction = 0.0
        """Of the schedule, as of the last finished step; the same in all processes."""
        self.spent_s = 0.0
        self.keeper = Keeper()
        self.losses: dict[str, Tensor] = {}
        """Of the last step."""
        self._random: tuple[Tensor, Tensor | None] | None = None
        """State of the random numbers where a stopped training goes on."""
        if frozen:
            network.features.requires_grad_(False)

    @property
    def is_over(self) -> bool:
        return self.fraction >= self.schedule.end

    @property
    def trained(self) -> nn.Module:
        """The part of the network that changes."""
        return self.network.head if self.frozen else self.network

    def weights(self) -> dict[str, Tensor]:
        """A copy of what has been trained."""
        return {name: value.detach().cpu().clone() for name, value in self.trained.state_dict().items()}

    def on_train_batch_start(self, batch: Batch, _: int) -> None:
        for group in self.optimizers().param_groups:
            group["lr"] = group["initial_lr"] * self.schedule.rate(self.fraction)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        features = batch.inputs if self.frozen else self.network.features(batch.inputs)
        losses = landmark_loss(self.network.head, features, batch.keypoints_px, batch.visibility)
        self.losses = {name: value.detach() for name, value in losses.items()}
        return losses["loss"]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["reloc"] = {
            "spent_s": self.spent_s,
            "budget_s": self.schedule.budget_s,
            "cool_from": self.schedule.cool_from,
            "keeper": dataclasses.asdict(self.keeper),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        ours = checkpoint["reloc"]
        self.spent_s = ours["spent_s"]
        self.schedule.budget_s, self.schedule.cool_from = ours["budget_s"], ours["cool_from"]
        self.keeper = Keeper(**ours["keeper"])
        self._random = ours["random"], ours["random_cuda"]

    def on_train_start(self) -> None:
        if self._random is None:
            return
        state, state_cuda = self._random
        torch.set_rng_state(state)
        if state_cuda is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state_cuda)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return MuonAndAdamW(self.network, self.config.learning_rate, self.config.weight_decay)


class Clock(lightning.Callback):
    """Says how far the training is, the same in all processes and to our progress callback, and ends it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: LandmarkTraining) -> None:
        self._last = time.monotonic()
        self._tell(trainer, module)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        now = time.monotonic()
        module.spent_s, self._last = module.spent_s + now - self._last, now
        self._tell(trainer, module)
        trainer.should_stop |= module.is_over
        budget_s, phase, total = module.schedule.budget_s, "train", module.config.steps
        if budget_s is not None:
            phase, total = "train, seconds", int(budget_s)
        self._progress(phase, total if module.is_over else int(module.fraction * total + 1e-6), total)

    def _tell(self, trainer: lightning.Trainer, module: LandmarkTraining) -> None:
        schedule = module.schedule
        # Clocks differ, and only the first process validates.
        told = trainer.strategy.broadcast((module.spent_s, schedule.cool_from))
        module.spent_s, schedule.cool_from = told
        module.fraction = schedule.fraction(trainer.global_step, module.spent_s)


class WriteCurves(lightning.Callback):
    """Passes the losses on to the curves, the mean of a few steps at a time.

    Lightning's own way of logging costs several milliseconds a step. And its CSV begins afresh where a stopped
    training goes on: the rows that were there are written again, up to the step that is gone on from.
    """

    def __init__(self, csv_file: Path) -> None:
        self._gathered: dict[str, list[Tensor]] = {}
        self._before: list[dict[str, str]] = []
        if csv_file.is_file():
            with csv_file.open(encoding="utf-8", newline="") as stream:
                self._before = list(csv.DictReader(stream))

    def on_train_start(self, trainer: lightning.Trainer, module: LandmarkTraining) -> None:
        for row in self._before if trainer.is_global_zero else []:
            step = int(row.pop("step"))
            if step <= trainer.global_step:
                trainer.logger.log_metrics({name: float(row[name]) for name in row if row[name]}, step)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        for name, value in module.losses.items():
            self._gathered.setdefault(name, []).append(value)
        if not trainer.is_global_zero or not (module.is_over or trainer.global_step % CURVE_STEPS == 0):
            return
        values = {name: float(torch.stack(values).mean()) for name, values in self._gathered.items()}
        self._gathered.clear()
        for curves in trainer.loggers:
            curves.log_metrics(values, step=trainer.global_step)


class SaveCheckpoints(lightning.Callback):
    """Writes last.ckpt now and then; the last of the callbacks, so that it holds what the others did."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = time.monotonic()
        self._wait_s = 1.0

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        due = time.monotonic() - self._saved >= min(self._wait_s, CHECKPOINT_SECONDS)
        if trainer.strategy.broadcast(due):  # every process takes part in saving
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()
            self._wait_s *= 2


class AtomicCheckpoints(TorchCheckpointIO):
    """A checkpoint is there whole or not at all, whenever the process ends, and nothing in it is ever executed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (
            Exception
        ) as error:  # torch raises many kinds for a damaged file; each means the same to the user
            raise RelocError(
                f"{path} is damaged or no checkpoint of a training; remove it to begin anew"
            ) from error


def make_trainer(
    folder: Path, max_steps: int, hardware: Hardware, tensorboard: bool, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    """Lightning's trainer with curves in `folder`."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    curves: list[Logger] = [CSVLogger(folder, name="curves", version="", flush_logs_every_n_steps=1)]
    if tensorboard:
        curves.append(_tensorboard(folder))
    accelerator = hardware.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return lightning.Trainer(
            accelerator=accelerator,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=hardware.strategy,
            precision=_precision(accelerator),
            max_steps=max_steps,
            max_epochs=-1,
            min_epochs=0,
            gradient_clip_val=1.0,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            logger=curves,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ModuleNotFoundError, ValueError, RuntimeError) as error:
        raise RelocError(f"this machine cannot train so: {error}") from error


def _precision(accelerator: str) -> str:
    if accelerator == "cpu":
        return "bf16-mixed" if has_fast_bfloat16() else "32-true"
    return "bf16-mixed" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "16-mixed"


def compute_dtype(trainer: lightning.Trainer) -> torch.dtype:
    """What the head multiplies in: features given so are not converted at every step."""
    names = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return names.get(trainer.precision, torch.float32)


def _tensorboard(folder: Path) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    if not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise RelocError("TensorBoard is not installed; run pip install tensorboard, or train without it")
    return TensorBoardLogger(folder, name="tensorboard", version="")
