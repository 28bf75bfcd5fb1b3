"""Fixes of a simulated drive with errors of a known size, in place of rendered pictures."""

from __future__ import annotations

import numpy as np

from reloc_ros.demo.fusion.correction import Fix
from reloc_ros.demo.fusion.robot import AWAY_S, ODOMETRY_HZ, Drive, se3_from_planar
from reloc_ros.geometry import SE3

SIGMAS = np.array([0.01, 0.015, 0.02, 0.008, 0.006, 0.004])
"""Of x, y, z in metres, and of the rotation about them in radians."""


def drawn_fixes(run: Drive, seed: int, *, rate_hz: float = 5.0, claimed: float = 1.0) -> list[Fix]:
    """Lost while it looks away; `claimed` is the factor on the covariance that is told."""
    rng = np.random.default_rng(seed)
    factor = np.linalg.qr(rng.normal(size=(6, 6)))[0] * SIGMAS  # correlated
    factor = np.diag(SIGMAS) @ factor / np.linalg.norm(factor, axis=1, keepdims=True)
    covariance = factor @ factor.T
    fixes = []
    for row in range(0, len(run), round(ODOMETRY_HZ / rate_hz)):
        if AWAY_S[0] <= run.times_s[row] <= AWAY_S[1]:
            fixes.append(Fix(row, None, None))
            continue
        truth = se3_from_planar(run.truth[row])
        error = factor @ rng.normal(size=6)
        turn = SE3.from_rotation_vector(error[3:], np.zeros(3)).rotation
        seen = SE3(turn @ truth.rotation, truth.translation + error[:3])
        fixes.append(Fix(row, seen, claimed * covariance))
    return fixes
