from __future__ import annotations

import shutil

import numpy as np
import pytest
import typer

from reloc_ros.bench.scaling.__main__ import RUN, exponent, run_verb, to_grid
from reloc_ros.bench.scaling.corridor import NOISE_PX, make_workspace
from reloc_ros.offline.landmarks.labels import observed_landmarks
from reloc_ros.offline.landmarks.select_landmarks import cloud_landmarks
from reloc_ros.offline.landmarks.visibility_appearance import likeness
from reloc_ros.offline.model.sfm import SfmModel


@pytest.fixture(scope="module")
def corridor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corridor")
    make_workspace(folder, 20)
    shutil.copytree(folder / "ws", folder / RUN)
    return folder


def test_the_corridor_is_seen_where_its_model_says(corridor):
    model = SfmModel.load(corridor / "ws" / "model.npz")
    errors = np.linalg.norm(model.project_observed() - model.observation_px, axis=1)
    assert np.isfinite(errors).all() and np.median(errors) < 2 * NOISE_PX
    assert set(np.bincount(model.observation_image, minlength=20) > 300) == {True}
    some = cloud_landmarks(model).subset(np.arange(0, len(model.points_map), 40))
    alike = likeness(model, some, observed_landmarks(model, some), corridor / "images")
    compared = alike[np.isfinite(alike)]
    assert len(compared) > 300 and np.median(compared) > 0.9


def test_a_verb_is_run_and_its_time_and_peak_are_told(corridor):
    row = run_verb("select", corridor)
    assert (corridor / RUN / "landmarks.npz").is_file()
    run_verb("web", corridor)
    assert row["verb"] == "select" and row["cpu_s"] > 0 and 20 < row["peak_mb"] < 2000


def test_a_verb_that_fails_ends_with_its_sentence(corridor, capsys):
    (corridor / "empty").mkdir()
    with pytest.raises(typer.Exit):
        run_verb("train", corridor / "empty")
    assert "train: " in capsys.readouterr().err


def test_the_exponent_is_that_of_the_largest_two():
    assert exponent([100, 400, 1600], [9.0, 8.0, 32.0]) == pytest.approx(1.0)
    assert exponent([400, 1600], [1.0, 16.0]) == pytest.approx(2.0)


def test_the_table_has_a_row_for_each_verb():
    rows = [
        {"images": images, "verb": verb, "cpu_s": images / 100, "peak_mb": 100}
        for images in (100, 400)
        for verb in ("select", "label")
    ]
    grid = to_grid(rows)
    assert [row[0] for row in grid.rows] == ["select", "label"]
    assert grid.rows[0] == ("select", "1", "4", "1.00", "100", "100", "0.00")
