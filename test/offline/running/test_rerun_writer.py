import collections
import importlib.util
import json

import numpy as np
import pytest
from table_bundle import make_table_bundle
from walks import AWAY, WALK, write_walk

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.localizer import Localizer
from reloc_ros.offline.running.localize_source import localize_source
from reloc_ros.offline.running.output_files import Outputs
from reloc_ros.offline.running.overlay import ArContent
from reloc_ros.offline.sources.open_source import open_source

needs_rerun = pytest.mark.skipif(
    importlib.util.find_spec("rerun") is None, reason="needs rerun-sdk: pip install 'reloc_ros[rerun]'"
)


def columns_of(path) -> dict[str, dict[str, list]]:
    """By entity and column, its rows in the order they were logged."""
    from rerun.chunk import RrdReader

    found: dict[str, dict[str, list]] = collections.defaultdict(dict)
    for chunk in RrdReader(str(path)).stream():
        table = chunk.to_record_batch()
        images = table.column("image").to_pylist() if "image" in table.schema.names else []
        for name in (name for name in table.schema.names if ":" in name):
            found[chunk.entity_path].setdefault(name, []).extend(table.column(name).to_pylist())
            found[chunk.entity_path].setdefault(f"image of {name}", []).extend(images)
    return found


@needs_rerun
def test_a_recording_has_the_poses_that_were_found_and_none_where_there_is_none(tmp_path):
    localizer = Localizer.from_bundle(make_table_bundle(tmp_path / "table").path, "onnx")
    source = open_source(write_walk(tmp_path / "walk.mp4"))
    outputs = Outputs(tmp_path / "poses.json", rerun=tmp_path / "poses.rrd")
    outputs.check(source.path)
    localize_source(localizer, source, outputs.sinks(localizer.bundle, source, "test", ArContent(), 5.0))
    entries = json.loads((tmp_path / "poses.json").read_text())["images"].values()
    expected = [
        SE3.from_quaternion_wxyz(pose["rotation_wxyz"], pose["translation"]).inverse()
        for pose in (entry["camera_from_map"] for entry in entries)
        if pose is not None
    ]
    read = columns_of(tmp_path / "poses.rrd")
    camera = read["/map/camera"]
    centers = [row[0] for row in camera["Transform3D:translation"]]
    np.testing.assert_allclose(centers, [pose.translation for pose in expected], atol=1e-5)
    columns = np.reshape([row[0] for row in camera["Transform3D:mat3x3"]], (-1, 3, 3))  # column by column
    np.testing.assert_allclose(columns.transpose(0, 2, 1), [pose.rotation for pose in expected], atol=1e-6)
    lost = camera["image of Clear:is_recursive"]
    assert lost == list(AWAY)
    assert sorted([*lost, *camera["image of Transform3D:translation"]]) == list(range(len(WALK)))
    assert [row[0] for row in read["/status/localized"]["Scalars:scalars"]] == [
        float(i not in AWAY) for i in range(len(WALK))
    ]
    assert len(read["/image"]["EncodedImage:blob"]) == len(WALK)
    assert len(read["/log"]["TextLog:text"]) == len(AWAY)
    np.testing.assert_allclose(
        read["/map/landmarks"]["Points3D:positions"][0], localizer.bundle.landmarks.positions_map, atol=1e-5
    )
    # The way is not drawn across the images that were lost.
    (strips,) = read["/map/way"]["LineStrips3D:strips"]
    assert sorted(map(len, strips)) == sorted([AWAY[0], len(WALK) - AWAY[-1] - 1])


@needs_rerun
def test_a_run_that_is_stopped_leaves_no_recording(tmp_path):
    from reloc_ros.offline.running.rerun_writer import rerun_writer

    bundle = make_table_bundle(tmp_path / "table")
    with pytest.raises(KeyboardInterrupt), rerun_writer(tmp_path / "a.rrd", bundle):
        raise KeyboardInterrupt
    assert list(tmp_path.glob("*.rrd*")) == []


def test_what_cannot_be_a_recording_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    with pytest.raises(RelocError, match=r"end it with \.rrd"):
        Outputs(tmp_path / "p.json", rerun=tmp_path / "a.mcap").check(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RelocError, match="pip install rerun-sdk"):
        Outputs(tmp_path / "p.json", rerun=tmp_path / "a.rrd").check(tmp_path)
