"""Pillow's PNG writer and pycolmap have ended each other's process: no verb may hold both.

Each verb runs in a process of its own, in which Pillow's PNG writer ends it for sure.
"""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("pycolmap")
TEST = Path(__file__).parents[1]
PRELUDE = """
import os, sys
import reloc_ros.offline.mapping.map_images
assert "zlib" in sys.modules  # loaded after pycolmap, it ends the process as well
import pycolmap
from PIL import Image

def end(*_):
    os._exit(9)

Image.init()
Image.register_save("PNG", end)
Image.register_save_all("PNG", end)
"""
MAP = """
from reloc_ros.errors import RelocError
from reloc_ros.offline.mapping.map_images import map_images
try:
    map_images(sys.argv[1], sys.argv[2], None, "none")
except RelocError as error:  # they show nothing
    print(error)
assert sorted(os.listdir(sys.argv[2] + "/sfm"))
"""
ADD = """
from pathlib import Path
from report_workspace import make_workspace
from reloc_ros.errors import RelocError
from reloc_ros.offline.extending.extend_map import extend_map
try:
    extend_map([Path(sys.argv[1])], make_workspace(Path(sys.argv[2])), "none")
except RelocError as error:
    print(error)
"""
PLOT = """
from pathlib import Path
from test_report import results
from reloc_ros.bench.plots import plot_growth
plot_growth(results(), Path(sys.argv[2]) / "growth.png")
"""
REPORT = """
from pathlib import Path
from report_workspace import advance, make_workspace
from reloc_ros.offline.report.page import write_report
workspace = make_workspace(Path(sys.argv[2]) / "made")
advance(workspace, "evaluated")
write_report(workspace, Path(sys.argv[2]) / "report.html")
"""


def run(script, *arguments):
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    paths = [str(TEST), str(TEST / "bench"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def test_what_ends_pillows_png_writer_is_noticed(tmp_path):
    drawn = "Image.new('RGB', (4, 4)).save(sys.argv[1])"
    assert run(drawn, tmp_path / "a.png").returncode == 9
    assert run(drawn, tmp_path / "a.jpg").returncode == 0


def turned_tiffs(folder):
    """Photographs that are copied for COLMAP as PNG, and show nothing."""
    image = pytest.importorskip("PIL.Image").fromarray(np.zeros((48, 64, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    folder.mkdir()
    for name in "abc":
        image.save(folder / f"{name}.tiff", tiffinfo=exif)
    return folder


@pytest.mark.parametrize("script", [MAP, ADD], ids=["map", "map --add"])
def test_map_copies_turned_tiffs_for_colmap_without_it(tmp_path, script):
    done = run(script, turned_tiffs(tmp_path / "photos"), tmp_path / "ws")
    assert done.returncode == 0, done.stderr
    copies = sorted((tmp_path / "ws").rglob("*.tiff.png"))
    assert {file.name for file in copies} == {f"{name}.tiff.png" for name in "abc"}
    assert cv2.imread(str(copies[0]), cv2.IMREAD_IGNORE_ORIENTATION).shape == (48, 64)


@pytest.mark.parametrize("script", [PLOT, REPORT], ids=["bench --plot", "report"])
def test_pictures_are_drawn_without_it(tmp_path, script):
    pytest.importorskip("matplotlib")
    done = run(script, tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
