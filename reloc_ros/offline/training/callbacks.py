"""What happens around the steps of a training: its clock, validation, curves, progress and checkpoints. (lightning)"""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import torch
from torch import Tensor

from reloc_ros.offline.progress import Progress
from reloc_ros.offline.training.validation import PoseErrors, curve_values, mean_error

if TYPE_CHECKING:
    from reloc_ros.offline.training.fit import LandmarkTraining

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 30.0
"""A stopped training loses about this much, and less at its beginning."""
VALIDATE_FROM, VALIDATE_EVERY = 0.2, 0.05
"""Shares of the schedule."""
CURVE_STEPS = 5


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
            logger.info("the pose error falls no more: training comes to its end")


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
        over = module.fraction >= module.schedule.end
        if not trainer.is_global_zero or not (over or trainer.global_step % CURVE_STEPS == 0):
            return
        values = {name: float(torch.stack(values).mean()) for name, values in self._gathered.items()}
        self._gathered.clear()
        for curves in trainer.loggers:
            curves.log_metrics(values, step=trainer.global_step)


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
        self._wait_s = 1.0

    def on_train_batch_end(self, trainer: lightning.Trainer, module: LandmarkTraining, *_: Any) -> None:
        due = time.monotonic() - self._saved >= min(self._wait_s, CHECKPOINT_SECONDS)
        if trainer.world_size > 1:  # every process takes part in saving
            due = bool(trainer.strategy.broadcast(due))
        if due:
            trainer.save_checkpoint(self._path)
            self._saved = time.monotonic()
            self._wait_s *= 2
