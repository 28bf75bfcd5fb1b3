"""The training loop around the network: Lightning's, with our clock, validation and checkpoints.  (torch, lightning)"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from reloc_ros.atomic import atomic_path
from reloc_ros.errors import RelocError
from reloc_ros.network import LandmarkNetwork
from reloc_ros.offline.feature_cache import Batch
from reloc_ros.offline.losses import landmark_loss
from reloc_ros.offline.optimizer import MuonAndAdamW
from reloc_ros.offline.progress import Progress
from reloc_ros.offline.schedule import Keeper, Schedule
from reloc_ros.offline.validation import PoseErrors, curve_values, mean_error
from reloc_ros.offline.views import has_fast_bfloat16

if TYPE_CHECKING:
    from reloc_ros.offline.train import TrainConfig

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 30.0
"""A stopped training loses about this much."""
VALIDATE_FROM, VALIDATE_EVERY = 0.2, 0.05
"""Shares of the schedule."""


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What to train on; no part of the recipe, and a stopped training may go on on other."""

    accelerator: str = "auto"
    devices: int = 1
    """On each machine; more than one, or more machines, train by DDP."""
    nodes: int = 1
    strategy: str = "auto"

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


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
        self._random: tuple[Tensor, Tensor | None] | None = None
        """State of the random numbers where a stopped training goes on."""
        if frozen:
            network.features.requires_grad_(False)

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
        self.log_dict(losses, batch_size=len(batch.inputs))
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


class Batches(lightning.LightningDataModule):
    """Makes the data once all processes run, each its own share, and goes on from the step that was reached."""

    def __init__(self, prepare: Callable[[lightning.Trainer], Callable[[int], Iterator[Batch]]]) -> None:
        super().__init__()
        self._prepare = prepare

    def setup(self, stage: str) -> None:
        self._from_step = self._prepare(self.trainer)

    def train_dataloader(self) -> Iterator[Batch]:
        return self._from_step(self.trainer.global_step)


class Clock(lightning.Callback):
    """Says how far the training is, the same in all processes, and ends it."""

    def __init__(self) -> None:
        self._last = 0.0

    def on_train_start(self, trainer: lightning.Trainer, module: LandmarkTraining) -> None:
        self._last = time.monotonic()
        self._tell(trainer, module)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        now = time.monotonic()
        module.spent_s, self._last = module.spent_s + now - self._last, now
        self._tell(trainer, module)
        trainer.should_stop |= module.fraction >= module.schedule.end

    def _tell(self, trainer: lightning.Trainer, module: LandmarkTraining) -> None:
        schedule = module.schedule
        if trainer.world_size > 1:  # clocks differ, and only the first process validates
            cool_from = 2.0 if schedule.cool_from is None else schedule.cool_from
            values = torch.tensor([module.spent_s, cool_from], device=module.device, dtype=torch.float64)
            torch.distributed.broadcast(values, 0)
            module.spent_s = float(values[0])
            schedule.cool_from = float(values[1]) if values[1] < 2 else None
        module.fraction = schedule.fraction(trainer.global_step, module.spent_s)


class Validation(lightning.Callback):
    """Measures the pose error now and then, keeps the best weights, and has training end early once none get better.

    Runs in the first process alone; `Clock` tells the others.
    """

    def __init__(self, measure: Callable[[], dict[str, PoseErrors]] | None, patience: float) -> None:
        self._measure, self._patience = measure, patience
        self._next = VALIDATE_FROM

    def state_dict(self) -> dict[str, Any]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        over = module.fraction >= module.schedule.end
        if self._measure is None or not trainer.is_global_zero or (module.fraction < self._next and not over):
            return
        while self._next <= module.fraction:
            self._next += VALIDATE_EVERY
        results = self._measure()
        for curves in trainer.loggers:
            curves.log_metrics(curve_values(results), step=trainer.global_step)
        keeper, schedule = module.keeper, module.schedule
        keeper.offer(mean_error(results), module.fraction, module.weights)
        logger.info("at %.0f %%: %s", 100 * module.fraction, results)
        # No sooner than with the rate past its height, where the error begins to say what can be reached, and never
        # while most images are lost: a network that has not begun to work is not finished.
        may_end = schedule.cool_from is None and not over and module.fraction >= 0.5 and keeper.lowest < 0.5
        if may_end and keeper.waited(module.fraction) >= self._patience:
            schedule.cool_from = module.fraction
            logger.info("no better for a while: training comes to its end")


class ReportProgress(lightning.Callback):
    """Passes Lightning's steps, or the seconds of a budget, on to our progress callback."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        budget_s, over = module.schedule.budget_s, module.fraction >= module.schedule.end
        phase, total = (
            ("train", module.config.steps) if budget_s is None else ("train, seconds", int(budget_s))
        )
        self._progress(phase, total if over else int(module.fraction * total + 1e-6), total)


class SaveCheckpoints(lightning.Callback):
    """Writes last.ckpt now and then; the last of the callbacks, so that it holds what the others did."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        due = time.monotonic() - self._saved >= CHECKPOINT_SECONDS
        if trainer.world_size > 1:  # every process takes part in saving
            due = bool(trainer.strategy.broadcast(due))
        if due:
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()


class AtomicCheckpoints(TorchCheckpointIO):
    """A checkpoint is there whole or not at all, whenever the process ends."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)


def make_trainer(
    folder: Path, max_steps: int, hardware: Hardware, tensorboard: bool, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    """Lightning's trainer with curves in `folder`."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    curves: list[Logger] = [CSVLogger(folder, name="curves", version="")]
    if tensorboard:
        curves.append(_tensorboard(folder))
    try:
        return lightning.Trainer(
            accelerator=_accelerator(hardware),
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            strategy=hardware.strategy,
            precision=_precision(hardware),
            max_steps=max_steps,
            max_epochs=-1,
            min_epochs=0,
            gradient_clip_val=1.0,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            logger=curves,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (
        ValueError,
        RuntimeError,
    ) as error:  # Lightning's words for hardware that is not there say what is
        raise RelocError(f"this machine cannot train so: {error}") from error


def _accelerator(hardware: Hardware) -> str:
    if hardware.accelerator != "auto":
        return hardware.accelerator
    return "cuda" if torch.cuda.is_available() else "cpu"


def _precision(hardware: Hardware) -> str:
    if _accelerator(hardware) == "cpu":
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
