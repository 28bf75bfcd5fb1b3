import dataclasses
import struct

import numpy as np
import pytest
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.clean import (
    CELL,
    CROPPED,
    MIN_POINTS,
    OUTLIER,
    CleanOptions,
    clean,
    is_crowded,
    is_outlier,
    undo_clean,
    write_cloud,
)
from reloc_ros.offline.model.cloud_file import ID_PROPERTY, read_kept_ids, write_ply
from reloc_ros.offline.model.ply import read_ply, write_vertices
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.model.similarity import Similarity
from reloc_ros.offline.model.workspace_model import removed_points, write_map_frame
from reloc_ros.offline.workspace import Workspace

MOVE = Similarity(
    0.4, SE3.from_rotation_vector([0.3, -1.0, 0.2], np.zeros(3)).rotation, np.array([1.0, 2, -3])
)
NOTHING = CleanOptions(neighbours=None)


@pytest.fixture
def model() -> SfmModel:
    """A ball of 300 points, six of them far away."""
    model = make_model(points=300)
    points = model.points_map.copy()
    points[::50] = np.random.default_rng(1).uniform(10, 30, (6, 3))
    return dataclasses.replace(model, points_map=points)


@pytest.fixture
def workspace(tmp_path, model) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws", tmp_path, model.names, "none")
    model.save(workspace.model_path)
    return workspace


def align(workspace: Workspace) -> None:
    facts = {"map_from_sfm": MOVE.to_json(), "origin": "o", "axes": "a", "scale": [], "up": []}
    write_map_frame(workspace, facts, "metric")


def edited(file, keep, target, drop_ids=False, dtype=None, move=None, single=False):
    """What a program that edits clouds makes of a PLY file."""
    vertices = {name: column[keep] for name, column in read_ply(file)["vertex"].items()}
    if dtype is not None:
        vertices[f"scalar_{ID_PROPERTY}"] = vertices.pop(ID_PROPERTY).astype(dtype)
    if drop_ids:
        del vertices[ID_PROPERTY]
    if move is not None:
        moved = move.apply(np.column_stack([vertices[axis] for axis in "xyz"])).T
        vertices |= dict(zip("xyz", moved, strict=True))
    if single:
        vertices |= {axis: vertices[axis].astype(np.float32) for axis in "xyz"}
    out = np.empty(len(keep), dtype=[(name, column.dtype) for name, column in vertices.items()])
    for name, column in vertices.items():
        out[name] = column
    write_vertices(target, out)
    return target


def test_the_cloud_is_a_binary_little_endian_ply_with_colours_and_ids(tmp_path, model):
    write_ply(tmp_path / "cloud.ply", model)
    data = (tmp_path / "cloud.ply").read_bytes()
    header, _, body = data.partition(b"end_header\n")
    assert header.splitlines()[:2] == [b"ply", b"format binary_little_endian 1.0"]
    properties = [line.split()[1:] for line in header.decode().splitlines() if line.startswith("property")]
    assert properties == [
        *(["float", axis] for axis in "xyz"),
        *(["uchar", color] for color in ("red", "green", "blue")),
        ["int", "point_id"],
    ]
    # By hand, as any other program would read it.
    x, y, z, red, green, blue, number = struct.unpack_from("<fffBBBi", body, 19 * 7)
    np.testing.assert_allclose([x, y, z], model.points_map[7], rtol=1e-6)
    assert ([red, green, blue], number) == (model.colors[7].tolist(), model.point_ids[7])
    assert len(body) == 19 * len(model.points_map)


def test_outliers_go_and_a_second_call_does_not_compound(workspace, model):
    summary = clean(workspace, CleanOptions())
    assert set(model.point_ids[::50]) <= set(removed_points(workspace).ids)
    assert summary.removed[OUTLIER] == len(removed_points(workspace).ids) < 12
    once = workspace.model_path.read_bytes()
    assert clean(workspace, CleanOptions()) == summary
    assert workspace.model_path.read_bytes() == once
    undo_clean(workspace)
    np.testing.assert_array_equal(SfmModel.load(workspace.model_path).point_ids, model.point_ids)


def test_outlier_removal_is_that_of_its_definition(model):
    points = model.points_map
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    means = np.sort(gaps, axis=1)[:, 1:9].mean(axis=1)
    np.testing.assert_array_equal(is_outlier(points, 8, 1.5), means > means.mean() + 1.5 * means.std())


def test_crops_are_in_the_units_of_the_map_as_it_is(workspace, model):
    align(workspace)
    clean(workspace, dataclasses.replace(NOTHING, sphere=(1.0, 2.0, -3.0, 0.4 * 0.8)))
    kept = SfmModel.load(workspace.model_path)
    inside = np.linalg.norm(model.points_map, axis=1) <= 0.8
    np.testing.assert_array_equal(kept.point_ids, model.point_ids[inside])
    assert set(removed_points(workspace).reasons) == {CROPPED}


def test_a_box_keeps_what_is_in_it(workspace, model):
    clean(workspace, dataclasses.replace(NOTHING, box=(-0.5, -1, -1, 0.5, 1, 0.2)))
    x, z = model.points_map[:, 0], model.points_map[:, 2]
    inside = (abs(x) <= 0.5) & (z <= 0.2) & (abs(model.points_map[:, 1]) <= 1) & (z >= -1)
    np.testing.assert_array_equal(SfmModel.load(workspace.model_path).point_ids, model.point_ids[inside])


def test_each_cell_keeps_its_longest_track(workspace, model):
    gone = is_crowded(model, 0.5)
    cells = np.floor((model.points_map - model.points_map.min(axis=0)) / 0.5)
    for cell in np.unique(cells, axis=0):
        mine = (cells == cell).all(axis=1)
        assert (~gone[mine]).sum() == 1
        assert model.track_lengths[mine & ~gone][0] == model.track_lengths[mine].max()
    clean(workspace, dataclasses.replace(NOTHING, voxel=0.5))
    assert set(removed_points(workspace).reasons) == {CELL}


def test_observations_stay_with_their_points(workspace):
    clean(workspace, CleanOptions())
    model = SfmModel.load(workspace.model_path)
    errors = np.linalg.norm(model.project_observed() - model.observation_px, axis=1)
    assert errors.max() < 1e-6


@pytest.mark.parametrize("drop_ids", [False, True])
def test_points_deleted_elsewhere_are_dropped(workspace, model, tmp_path, drop_ids):
    align(workspace)
    write_cloud(workspace, tmp_path / "cloud.ply")
    keep = np.random.default_rng(0).permutation(300)[:250]  # in an order of its own
    cloud = edited(tmp_path / "cloud.ply", keep, tmp_path / "edited.ply", drop_ids)
    summary = clean(workspace, CleanOptions(edited=cloud, neighbours=None))
    np.testing.assert_array_equal(
        SfmModel.load(workspace.model_path).point_ids, model.point_ids[np.sort(keep)]
    )
    assert summary.removed == {"not in edited.ply": 50}


def test_ids_come_back_as_floats_of_another_name_and_from_a_moved_cloud(workspace, model, tmp_path):
    write_cloud(workspace, tmp_path / "cloud.ply")
    cloud = edited(tmp_path / "cloud.ply", np.arange(200), tmp_path / "e.ply", dtype="<f4", move=MOVE)
    np.testing.assert_array_equal(read_kept_ids(cloud, model), model.point_ids[:200])


UTM = Similarity(1.0, np.eye(3), np.array([500_123.0, 4_649_876.0, 120.0]))


@pytest.mark.parametrize("drop_ids", [False, True])
def test_a_cloud_in_projected_coordinates_comes_back_with_what_was_deleted(model, tmp_path, drop_ids):
    """In single precision its points would be half a metre off: of another map."""
    far = model.transformed(UTM)
    write_ply(tmp_path / "c.ply", far)
    np.testing.assert_array_equal(read_ply(tmp_path / "c.ply")["vertex"]["y"], far.points_map[:, 1])
    cloud = edited(tmp_path / "c.ply", np.arange(40, 300), tmp_path / "e.ply", drop_ids)
    np.testing.assert_array_equal(read_kept_ids(cloud, far), model.point_ids[40:])


def test_a_program_that_rounds_projected_coordinates_leaves_the_ids_to_go_by(model, tmp_path):
    far = model.transformed(UTM)
    write_ply(tmp_path / "c.ply", far)
    cloud = edited(tmp_path / "c.ply", np.arange(40, 300), tmp_path / "e.ply", single=True)
    np.testing.assert_array_equal(read_kept_ids(cloud, far), model.point_ids[40:])
    cloud = edited(tmp_path / "c.ply", np.arange(40, 300), tmp_path / "n.ply", drop_ids=True, single=True)
    with pytest.raises(
        RelocError, match=r"rounds them to 0\.5: save it in double precision, or keep.*point_id"
    ):
        read_kept_ids(cloud, far)


def test_points_of_one_place_all_stay_when_they_are_matched_by_position(model, tmp_path):
    points = model.points_map.copy()
    points[10] = points[11] = points[12]
    twins = dataclasses.replace(model, points_map=points)
    write_ply(tmp_path / "c.ply", twins)
    cloud = edited(tmp_path / "c.ply", np.arange(5, 300), tmp_path / "e.ply", drop_ids=True)
    np.testing.assert_array_equal(read_kept_ids(cloud, twins), model.point_ids[5:])


def test_an_import_goes_on_from_what_was_out_already(workspace, tmp_path):
    clean(workspace, CleanOptions())
    outliers = removed_points(workspace).ids
    count = write_cloud(workspace, tmp_path / "cloud.ply")
    cloud = edited(tmp_path / "cloud.ply", np.arange(count - 10), tmp_path / "e.ply")
    summary = clean(workspace, CleanOptions(edited=cloud, neighbours=None))
    assert summary.removed == {OUTLIER: len(outliers), "not in e.ply": 10}
    assert set(outliers) < set(removed_points(workspace).ids)


@pytest.mark.parametrize("drop_ids", [False, True])
def test_a_cloud_of_another_map_is_refused(workspace, tmp_path, drop_ids):
    other = make_model(points=300, seed=5)
    write_ply(tmp_path / "other.ply", other)
    cloud = edited(tmp_path / "other.ply", np.arange(300), tmp_path / "e.ply", drop_ids)
    before = workspace.model_path.read_bytes()
    with pytest.raises(RelocError, match="is of another map"):
        clean(workspace, CleanOptions(edited=cloud, neighbours=None))
    assert workspace.model_path.read_bytes() == before


def test_ids_that_the_map_lacks_are_of_another_map(workspace, model, tmp_path):
    write_ply(tmp_path / "c.ply", dataclasses.replace(model, point_ids=model.point_ids + 1))
    with pytest.raises(
        RelocError, match="is of another map: 300 of its 300 points have ids that this map lacks"
    ):
        clean(workspace, CleanOptions(edited=tmp_path / "c.ply"))


def test_a_moved_cloud_without_ids_is_refused_with_what_to_do(workspace, model, tmp_path):
    write_ply(tmp_path / "c.ply", model)
    cloud = edited(tmp_path / "c.ply", np.arange(300), tmp_path / "e.ply", drop_ids=True, move=MOVE)
    with pytest.raises(RelocError, match=r"or was moved.*keep the property point_id"):
        clean(workspace, CleanOptions(edited=cloud))


def ply(*lines: str) -> bytes:
    return "\n".join(["ply", "format ascii 1.0", *lines]).encode() + b"\n"


XYZ = tuple(f"property float {axis}" for axis in "xyz")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (None, "there is no file"),
        (b"not a cloud", "cannot read .* as PLY"),
        (ply("element vertex 9", *XYZ, "end_header", "1 2"), "cannot read .* as PLY"),
        (ply("element face 0", "end_header"), "no vertices with x, y and z"),
        (ply("element vertex 1", XYZ[0], "end_header", "1"), "no vertices with x, y and z"),
        (ply("element vertex 0", *XYZ, "end_header"), "holds no points"),
        (ply("element vertex 1", *XYZ, "end_header", "1 2 nan"), "not finite"),
        (ply("element vertex 1", *XYZ, "end_header", "1 2 1e30"), "not finite"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, model, contents, words):
    if contents is not None:
        (tmp_path / "bad.ply").write_bytes(contents)
    with pytest.raises(RelocError, match=words) as refused:
        read_kept_ids(tmp_path / "bad.ply", model)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            dataclasses.replace(NOTHING, sphere=(9.0, 9, 9, 0.1)),
            r"0 of 300 points would be left, a map needs 20; most",
        ),
        (dataclasses.replace(NOTHING, voxel=5.0), "make the cells smaller"),
        (dataclasses.replace(NOTHING, box=(0.0, 0, 0, 1, -1, 1)), "each maximum above its minimum"),
        (dataclasses.replace(NOTHING, sphere=(0.0, 0, 0, 0)), "radius above zero"),
        (dataclasses.replace(NOTHING, voxel=0.0), "above zero, not 0"),
        (CleanOptions(neighbours=0), "1 neighbour or more"),
        (CleanOptions(neighbours=400), "too few to compare 400"),
        (CleanOptions(std_ratio=0.0), "--std-ratio must be above zero"),
    ],
)
def test_impossible_cleaning_is_refused_and_changes_nothing(workspace, options, words):
    before = {file.name: file.read_bytes() for file in workspace.path.iterdir()}
    with pytest.raises(RelocError, match=words):
        clean(workspace, options)
    assert {file.name: file.read_bytes() for file in workspace.path.iterdir()} == before


def test_images_left_without_a_point_are_named(workspace, model):
    image = 3
    alone = np.flatnonzero(model.track_lengths > 0)[:MIN_POINTS]
    seen = ~((model.observation_image == image) & np.isin(model.observation_point, alone))
    bare = dataclasses.replace(
        model,
        observation_point=model.observation_point[seen],
        observation_image=model.observation_image[seen],
        observation_px=model.observation_px[seen],
    )
    bare.save(workspace.model_path)
    write_ply(workspace.path / "e.ply", bare.without_points(np.delete(bare.point_ids, alone)))
    summary = clean(workspace, CleanOptions(edited=workspace.path / "e.ply", neighbours=None))
    assert summary.bare_images == (model.names[image],)
