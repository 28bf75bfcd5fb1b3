#!/usr/bin/env bash
# Guess: a process bound to core 0 (taskset, a container's cpuset, systemd's CPUAffinity) keeps all threads of a session there.
# Instead: with default options ONNX Runtime starts a worker for each core of the machine and binds each to its own core, outside
# the mask that the process was given.
# Bites: inference steps on the cores kept free for control or for a camera driver. Do: set intra_op_num_threads (Linux, 2 cores or more).
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
v/bin/python - << 'END'
from importlib.metadata import version
import os, sys

if (os.cpu_count() or 1) < 2: sys.exit("this needs two cores")
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import onnxruntime as ort
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()

def cores_of_new_threads(options):
    before = set(os.listdir("/proc/self/task"))
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [sorted(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task") if thread not in before]

two = ort.SessionOptions()
two.intra_op_num_threads = 2
mask = sorted(os.sched_getaffinity(0))
seen, explicit = cores_of_new_threads(ort.SessionOptions()), cores_of_new_threads(two)
print("onnxruntime", version("onnxruntime"), "| mask", mask, "| guessed: workers in it | seen: workers on", seen, "| with intra_op_num_threads = 2:", explicit)
if not any(set(cores) - set(mask) for cores in seen) or any(set(cores) - set(mask) for cores in explicit): sys.exit("changed: workers are bound differently now")
END
