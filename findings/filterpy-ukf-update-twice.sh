#!/usr/bin/env bash
# Guess: UnscentedKalmanFilter.update may be called first, or twice between two predictions, as KalmanFilter.update may.
# Instead: update uses the sigma points of the last prediction. Before the first one a measurement changes nothing at all; the
# second in a row is taken against the old points and leaves a negative variance.
# Bites: a camera pose and a GPS fix of one stamp. Do: predict(dt=0) with Q = 0 before each update.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq filterpy==2.0.0 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import numpy as np, sys
from filterpy.kalman import KalmanFilter, MerweScaledSigmaPoints, UnscentedKalmanFilter

def unscented():
    points = MerweScaledSigmaPoints(2, 0.1, 2.0, 1.0)
    f = UnscentedKalmanFilter(2, 1, 1.0, fx=lambda x, dt: np.array([x[0] + dt * x[1], x[1]]), hx=lambda x: x[:1], points=points)
    f.x, f.P, f.R = np.array([5.0, 1.0]), np.eye(2), np.eye(1) * 0.01
    return f

plain = KalmanFilter(2, 1)
plain.x, plain.H, plain.R = np.array([5.0, 1.0]), np.array([[1.0, 0.0]]), np.eye(1) * 0.01
first, twice = unscented(), unscented()
twice.predict()
for measurement in (6.0, 6.0):
    twice.update(np.array([measurement]))
first.update(np.array([6.0]))
plain.update(np.array([6.0]))
print("filterpy", version("filterpy"), "| guessed: 5 moves to 6, variances stay positive | seen: KalmanFilter %.2f, UKF %.2f; variance after two updates %.2f"
    % (plain.x[0], first.x[0], twice.P[0, 0]))
if first.x[0] != 5 or plain.x[0] < 5.9 or twice.P[0, 0] > 0: sys.exit("changed: updates without a prediction are treated differently now")
END
