#!/usr/bin/env bash
# Guess: a projection factor raises CheiralityException for a point behind the camera, as PinholeCamera.project does, or
# its error draws the camera round.
# Instead: each such point has a constant residual of two focal lengths and no derivative: Levenberg-Marquardt ends after no
# iteration, without exception, and returns the pose that it was given.
# Bites: a pose refined from a bad start, or with one matched point behind, "converges" where it began; what is left of the
# derivatives belongs to the other points.
# Do: build the factors with throwCheirality=True, or check all depths before and after, and the error against its degrees of freedom.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq gtsam==4.3.0 numpy==2.4.6
v/bin/python - << 'END'
import sys
from importlib.metadata import version
import gtsam, numpy as np

calibration, noise = gtsam.Cal3_S2(500, 500, 0, 320, 240), gtsam.noiseModel.Isotropic.Sigma(2, 1.0)
points = np.random.default_rng(0).uniform(-1, 1, (20, 3)) + [0, 0, 4]
camera = gtsam.PinholeCameraCal3_S2(gtsam.Pose3(), calibration)
graph = gtsam.NonlinearFactorGraph()
for i, point in enumerate(points):
    graph.add(gtsam.GenericProjectionFactorCal3_S2(camera.project(point), noise, 100, i, calibration))
    graph.add(gtsam.PriorFactorPoint3(i, point, gtsam.noiseModel.Isotropic.Sigma(3, 1e-6)))

def refined(degrees):
    start = gtsam.Values()
    for i, point in enumerate(points): start.insert(i, point)
    start.insert(100, gtsam.Pose3(gtsam.Rot3.Ry(np.radians(degrees)), np.zeros(3)))
    optimizer = gtsam.LevenbergMarquardtOptimizer(graph, start)
    turn = optimizer.optimize().atPose3(100).rotation()
    left = round(float(np.degrees(np.linalg.norm(gtsam.Rot3.Logmap(turn)))), 3)
    return left, optimizer.iterations(), np.round(graph.at(0).unwhitenedError(start)).tolist()

try: camera.project(np.array([0, 0, -1.0])); raised = False
except RuntimeError as error: raised = "Cheirality" in str(error)
near, away = refined(20), refined(180)
print("gtsam", version("gtsam"), "| guessed: CheiralityException | seen: by the camera", raised, "| by the factors (degrees left, iterations,",
      "first residual): from 20 deg", near, "from 180 deg", away)
if not (raised and near[0] == 0 and away == (180, 0, [1000, 1000])): sys.exit("changed: points behind are treated differently now")
END
