import dataclasses
import io
import json

import pytest
from rich.console import Console

from reloc_ros.bench.growth import Growth, GrowthPoint
from reloc_ros.bench.memory import Memory
from reloc_ros.bench.methods import FIRST_PIPELINE, SIFT, SIFT_FULL, Absent, Timing
from reloc_ros.bench.plots import plot_growth
from reloc_ros.bench.report import Grid, grids, peers_grid, summary_grid, to_markdown
from reloc_ros.bench.run import Compared, Results
from reloc_ros.bench.solvers import SolverScore
from reloc_ros.offline.measuring.scores import Outcome, Score

OURS = "onnx fp32, refined"


def timing(method: str, total_ms: float, width: int = 640) -> Timing:
    stages = {"prepare": (1.0,), "total": (total_ms, total_ms, 2 * total_ms)}
    return Timing(method, width, 3 * width // 4, stages)


def score(method: str, condition: str, found: int, of: int = 4, metric: bool = False) -> Score:
    good = Outcome("a", None, 0.25, 0.01, 1.5, 6.0, {"total": 1.0})
    lost = Outcome("b", "no_consensus", None, None, None, None, {"total": 1.0})
    return Score(method, condition, (good,) * found + (lost,) * (of - found), metric)


def growth() -> Growth:
    points = [GrowthPoint(count, 512, 384, 10.0 + count, 0.1) for count in (20, 64)]
    return Growth(tuple(points), (points[1], GrowthPoint(64, 320, 256, 8.0, 0.1)))


def results(**changes) -> Results:
    conditions = ("clean", "dark", "half")
    made = Results(
        place="desk",
        landmarks=64,
        images=4,
        taken=(1280, 960),
        machine={"cores": 2},
        timings=(
            timing(FIRST_PIPELINE, 1000),
            timing(SIFT_FULL, 300, 1280),
            timing(SIFT, 80),
            timing(OURS, 20),
        ),
        scores=tuple(score(m, c, n) for m, n in ((SIFT, 4), (OURS, 3)) for c in conditions),
        timed_scores=(score(SIFT, "clean", 2), score(OURS, "clean", 1)),
        absent=(Absent("tensorrt fp16", "it is not | installed"),),
        files_bytes={"network.onnx": 6_000_000, "manifest.json": 1_000},
        memory=(Memory("onnx fp32", 14.5, 200.0, 150.0), Memory(SIFT, 60.0, 300.0, 250.0)),
        growth=growth(),
        solvers=(
            SolverScore("poselib", None, 0.5, 0.1, 0.2, 0, 9),
            SolverScore("usac", "it is not installed"),
        ),
        compared=(Compared("desk", 64, timing("desk", 20), (score("desk", "clean", 4),)),),
    )
    return dataclasses.replace(made, **changes)


def row(grid: Grid, first: str) -> tuple[str, ...]:
    (found,) = [row for row in grid.rows if row[0] == first]
    return found


def test_summary_has_times_ratios_recall_and_errors_of_each_method():
    grid = summary_grid(results())
    # timed on, p50, p95, ratios to SIFT and to the first version, recall and errors at 640, the same as taken, worst
    assert row(grid, OURS)[1:6] == ("640x480", "20.0", "38.0", "4.0", "50.0")
    assert row(grid, OURS)[6:] == ("25 %", "0.250", "1.500", "75 %", "0.250", "1.500", "75 % (dark)")
    assert row(grid, FIRST_PIPELINE)[4:] == ("0.1", "1.0", *["-"] * 7)
    assert row(grid, SIFT)[4:7] == ("1.0", "12.5", "50 %")
    assert row(grid, SIFT_FULL)[1:3] == ("1280x960", "300.0")
    assert row(grid, SIFT_FULL)[6:10] == ("-", "-", "-", "100 %")


def test_peers_are_compared_in_each_condition_by_time_errors_and_size():
    off = [
        Outcome("a", None, 0.1, 0.01, percent, 6.0, {"processor": 10 * percent})
        for percent in (1.0, 2.0, 9.0)
    ]
    ours = Score(OURS, "dark", tuple(off), False)
    coarse = score("onnx fp32, coarse", "dark", 3)
    grid = peers_grid(results(timed_scores=(score(SIFT, "dark", 0), ours, coarse)))
    assert [row[:4] for row in grid.rows] == [
        (SIFT, "brightness x0.3", "-", "0 %"),
        (OURS, "brightness x0.3", "40.0", "67 %"),
    ]
    assert grid.rows[0][4:] == ("-", "-", "-", "60.0", "250")
    assert grid.rows[1][4:] == ("2.000", "8.860", "9.000", "14.5", "150")


def test_lowest_recall_names_its_condition_and_leaves_out_clean():
    scores = (score(OURS, "clean", 0), score(OURS, "dark", 4), score(OURS, "half", 2))
    assert row(summary_grid(results(scores=scores)), OURS)[-1] == "50 % (half)"
    assert row(summary_grid(results(scores=scores[:1])), OURS)[-1] == "-"


def test_recall_is_in_centimetres_where_the_map_is_metric():
    metric = (score(OURS, "clean", 4, metric=True),)
    assert "5 cm" in summary_grid(results(scores=metric, timed_scores=metric)).note
    assert "5 %" in summary_grid(results()).note


def test_all_lost_has_a_recall_but_no_errors():
    lost = (score(OURS, "clean", 0),)
    assert row(summary_grid(results(scores=lost)), OURS)[9:12] == ("0 %", "-", "-")


def test_every_grid_has_as_many_cells_as_headings_in_every_row():
    found = grids(results())
    assert len(found) == 10
    for grid in found:
        assert {len(row) for row in grid.rows} == {len(grid.headings)}, grid.title


def test_parts_that_were_left_out_have_no_grid():
    nothing = results(
        timings=(), scores=(), timed_scores=(), absent=(), memory=(), growth=None, solvers=(), compared=()
    )
    assert [grid.title for grid in grids(nothing)] == ["what it takes"]


def test_bundle_is_listed_by_file_and_summed():
    (grid,) = [grid for grid in grids(results()) if grid.title == "what it takes"]
    assert row(grid, "bundle: network.onnx")[1] == "6.0" and row(grid, "bundle: all")[1] == "6.0"
    assert row(grid, "memory, onnx fp32: at its peak")[1] == "200"


def test_bundle_is_summed_without_what_a_robot_does_not_need_too():
    files = {"network.onnx": 6_000_000, "network.pt": 7_000_000}
    (grid,) = [grid for grid in grids(results(files_bytes=files)) if grid.title == "what it takes"]
    assert row(grid, "bundle: all")[1] == "13.0" and row(grid, "bundle: without network.pt")[1] == "6.0"


def test_grids_are_drawn_whole_in_the_terminal_and_as_markdown():
    found = grids(results())
    console = Console(file=io.StringIO(), width=300)
    for grid in found:
        console.print(grid.to_rich())
    drawn = console.file.getvalue()
    markdown = to_markdown(found)
    for grid in found:
        for cell in [cell for row in grid.rows for cell in row]:
            assert cell in drawn and cell.replace("|", "\\|") in markdown
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_results_are_strict_json_with_every_figure():
    text = json.dumps(results(scores=(score(OURS, "clean", 0),)).to_json(), allow_nan=False)
    read = json.loads(text)
    assert read["kind"] == "reloc bench" and read["format"] == 1
    assert read["scores"][0]["recall"] == 0 and read["scores"][0]["median_rotation_deg"] is None
    assert "median_ms" not in read["scores"][0]  # times are those of the timings
    assert read["timings"][3]["median_ms"]["total"] == 20
    assert read["not_run"] == {"tensorrt fp16": "it is not | installed"}
    assert read["growth"]["by_size"][1]["width"] == 320
    assert read["workspaces"][0]["landmarks"] == 64
    assert read["solvers"][1]["median_ms"] is None


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_growth_is_drawn(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    target = tmp_path / f"growth.{suffix}"
    plot_growth(results(), target)
    assert target.stat().st_size > 5000
    assert [file.name for file in tmp_path.iterdir()] == [target.name]


def test_svg_names_what_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plot_growth(results(), tmp_path / "growth.svg")
    text = (tmp_path / "growth.svg").read_text(encoding="utf-8")
    for label in ("network", "pose", "320x256", "recall, clean", "image to pose"):
        assert label in text
