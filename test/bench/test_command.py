import json

import pytest

from reloc_ros.bench.__main__ import main
from reloc_ros.bench.place import demo_place
from reloc_ros.demo.pipeline import EMBEDDED_BUNDLE


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--conditions", "fog"), "unknown condition 'fog'"),
        (("--backends", "onnx,abacus"), "unknown backend 'abacus'"),
        (("--precisions", "fp7"), "unknown precision 'fp7'"),
        (("--backends", "torch", "--precisions", "int8"), "none of torch has any of the precisions int8"),
        (("--skip", "growth", "--plot", "growth.png"), "--plot draws the growth"),
        (("--xfeat",), "--xfeat needs --workspace"),
        (("--skip", "lunch"), "unknown part 'lunch'"),
        (("--rounds", "0"), "--rounds"),
        (("--workspace", "nowhere"), "is not a workspace"),
        (("--images", "0"), "at least one image"),
        (("--bundle", "nowhere", "--images", "1"), "is not a folder"),
    ],
)
def test_wrong_input_ends_with_one_sentence_and_code_2(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said
    assert said.strip().splitlines()[-1].startswith("error: ")


def test_help_says_what_is_measured_by_default(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "Without --workspace: the embedded bundle" in " ".join(capsys.readouterr().out.split())


def test_demo_images_are_spread_over_the_walk_and_have_true_poses(tmp_path):
    place = demo_place(EMBEDDED_BUNDLE, tmp_path, images=2)
    assert [query.name for query in place.queries] == sorted(file.name for file in tmp_path.iterdir())
    assert place.metric and place.known is None and place.baseline("SIFT") is None


@pytest.mark.slow
def test_embedded_bundle_is_measured_in_one_run(tmp_path, capsys):
    written, page, plot = tmp_path / "bench.json", tmp_path / "bench.md", tmp_path / "bench.png"
    main(
        [
            *("--images", "3", "--rounds", "1", "--backends", "onnx", "--conditions", "clean,dark,half"),
            *("--skip", "growth", "--json", str(written), "--markdown", str(page)),
        ]
    )
    read = json.loads(written.read_text(encoding="utf-8"))
    coarse, *others = [timing for timing in read["timings"] if timing["method"].endswith("coarse")]
    assert {"prepare", "network", "pnp", "total"} <= coarse["median_ms"].keys()
    assert len(others) == 1  # fp32 and int8
    (first,) = [timing for timing in read["timings"] if timing["method"] == "first version"]
    assert first["median_ms"]["total"] > 2 * coarse["median_ms"]["total"]
    clean = [score for score in read["scores"] if score["condition"] == "clean"]
    assert clean and all(score["recall"] == 1 and score["median_rotation_deg"] < 1 for score in clean)
    assert sum(read["bundle_bytes"].values()) < 16e6
    assert read["memory"] and read["memory"][0]["peak_mb"] > 50
    shown = capsys.readouterr().out
    assert "image to pose" in shown and "brightness x0.3" in shown
    assert "| image to pose |" in page.read_text(encoding="utf-8")
    assert not plot.exists()
