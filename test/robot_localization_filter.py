"""robot_localization's extended Kalman filter by its published equations, for a robot on level ground.

T. Moore and D. Stouch, "A Generalized Extended Kalman Filter Implementation for the Robot Operating System", 2014; the
numbers are the defaults of its documentation. States: x y z, roll pitch yaw, their rates in the body, accelerations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

STATES = 15
YAW, VX, VY, VYAW, AX, AY = 5, 6, 7, 11, 12, 13
LEVEL = [2, 3, 4, 8, 9, 10, 14]
"""What two_d_mode takes for measured, at 0."""
LEVEL_VARIANCE = 1e-6
START_VARIANCE = 1e-9
PROCESS_NOISE = np.diag(
    [0.05, 0.05, 0.06, 0.03, 0.03, 0.06, 0.025, 0.025, 0.04, 0.01, 0.01, 0.02, 0.01, 0.01, 0.015]
)


class Filter:
    """In two_d_mode, with world_frame map."""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        self._parameters = parameters
        self.state = np.zeros(STATES)
        start = parameters.get("initial_estimate_covariance", START_VARIANCE * np.eye(STATES))
        self.covariance = np.reshape(start, (STATES, STATES)).astype(float)
        self._time_s: float | None = None

    def measure(self, sensor: str, values: np.ndarray, covariance: np.ndarray, time_s: float) -> bool:
        """Take a measurement (15,) with its covariance (15, 15); whether it passed the gate."""
        used = np.flatnonzero(self._parameters[f"{sensor}_config"])
        values, covariance = values.copy(), covariance.copy()
        values[LEVEL] = 0.0
        covariance[LEVEL, LEVEL] = LEVEL_VARIANCE
        used = np.union1d(used, LEVEL)
        if self._time_s is None:
            self.state[used], self.covariance[np.ix_(used, used)] = (
                values[used],
                covariance[np.ix_(used, used)],
            )
            self._time_s = time_s
            return True
        self._predict(time_s - self._time_s)
        self._time_s = time_s
        threshold = self._parameters.get(f"{sensor}_rejection_threshold", np.inf)
        return self._correct(used, values[used], covariance[np.ix_(used, used)], threshold)

    def _predict(self, step_s: float) -> None:
        sine, cosine = np.sin(self.state[YAW]), np.cos(self.state[YAW])
        transfer = np.eye(STATES)
        turn, half = np.array([[cosine, -sine], [sine, cosine]]), step_s**2 / 2
        transfer[0:2, [VX, VY]], transfer[0:2, [AX, AY]] = step_s * turn, half * turn
        transfer[YAW, VYAW] = step_s
        transfer[[VX, VY], [AX, AY]] = step_s
        jacobian = transfer.copy()
        across = np.array([[-sine, -cosine], [cosine, -sine]])
        jacobian[0:2, YAW] = across @ (step_s * self.state[[VX, VY]] + half * self.state[[AX, AY]])
        self.state = transfer @ self.state
        self.covariance = jacobian @ self.covariance @ jacobian.T + step_s * PROCESS_NOISE

    def _correct(self, used: np.ndarray, values: np.ndarray, noise: np.ndarray, threshold: float) -> bool:
        measured = np.eye(STATES)[used]
        innovation = values - self.state[used]
        angles = np.isin(used, [3, 4, 5])
        innovation[angles] = (innovation[angles] + np.pi) % (2 * np.pi) - np.pi
        inverse = np.linalg.inv(measured @ self.covariance @ measured.T + noise)
        if innovation @ inverse @ innovation >= threshold**2:
            return False
        gain = self.covariance @ measured.T @ inverse
        keep = np.eye(STATES) - gain @ measured
        self.state = self.state + gain @ innovation
        self.covariance = keep @ self.covariance @ keep.T + gain @ noise @ gain.T
        return True
