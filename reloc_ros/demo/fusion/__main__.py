"""`scripts/fusion`: drive the simulated robot through the rendered room, localize its pictures, and plot the errors."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from reloc_ros.demo.fusion.correction import CHI_SQUARE_3_95, figures, filtered, placed_odometry, take_fixes
from reloc_ros.demo.fusion.plot import draw_fusion
from reloc_ros.demo.fusion.robot import Slip, drive
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE
from reloc_ros.io.atomic import write_json
from reloc_ros.localizer import Localizer
from reloc_ros.pose.covariance import CovarianceLimits


def main() -> None:
    """Drive, localize, fuse, and write `fusion.png` and `fusion.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--bundle", type=Path, default=EMBEDDED_BUNDLE, help="of the demo's room")
    add("--output", type=Path, default=Path("build/fusion"), help="folder of the results")
    add("--seconds", type=float, default=100.0, help="length of the drive")
    add("--rate", type=float, default=4.0, help="pictures a second")
    add("--runs", type=int, default=20, help="drives with other slip, for the filter's NEES")
    add("--scale", type=float, default=1.0, help="covariance_scale")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    slip, limits = Slip(), CovarianceLimits(given.scale, 0.0, 0.0)
    run = drive(given.seconds, slip, seed=1)
    fixes = take_fixes(run, Localizer.from_bundle(given.bundle), given.rate, limits, _say_how_far)
    placed, fused = placed_odometry(run, fixes), filtered(run, fixes, slip)
    found = figures(run, fixes, placed, fused)
    others = range(2, 2 + given.runs)
    nees = np.concatenate([filtered(drive(given.seconds, slip, seed), fixes, slip).nees for seed in others])
    nees = nees[np.isfinite(nees)]
    within = float(np.mean(nees <= CHI_SQUARE_3_95))
    many = {"runs": given.runs, "mean": float(nees.mean()), "within_95": within}
    result = {"format": 1, **dataclasses.asdict(found), "filter_nees_of_other_slips": many}
    write_json(given.output / "fusion.json", result)
    draw_fusion(given.output / "fusion.png", run, fixes, placed, fused, found)
    for name, value in result.items():
        print(f"{name:28} {value if not isinstance(value, float) else round(value, 4)}")


def _say_how_far(_phase: str, done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"{done} of {total} pictures", flush=True)


if __name__ == "__main__":
    main()
