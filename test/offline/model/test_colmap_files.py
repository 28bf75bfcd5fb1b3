"""COLMAP models as tools write them: read as COLMAP itself reads them, or refused, and what is left out is said."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import make_model, write_colmap_text

from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.model.colmap_files import read_colmap

pycolmap = pytest.importorskip("pycolmap")
MODEL = make_model(noise_px=0.3)
IMAGES = len(MODEL.names)
POSE = slice(1, 8)
"""The columns of a pose in images.txt."""


@pytest.fixture
def folder(tmp_path):
    """The model in text, as it was before COLMAP had rigs and frames."""
    write_colmap_text(MODEL, tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture
def rigged(folder, tmp_path):
    """The model in text as COLMAP 4 writes it, with rigs and frames."""
    (tmp_path / "new").mkdir()
    pycolmap.Reconstruction(str(folder)).write_text(str(tmp_path / "new"))
    return tmp_path / "new"


def rewrite(file, change):
    """Change the lines of a text file, which come as (is the first of an image's two, line)."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    file.write_text("\n".join(change(lines)) + "\n")


def to_binary(text):
    binary = text.with_name(f"{text.name}-binary")
    binary.mkdir()
    pycolmap.Reconstruction(str(text)).write_binary(str(binary))
    return binary


def told(folder, **options):
    remarks = []
    return read_colmap(folder, remarks.append, **options), remarks


def assert_told(remarks, *parts):
    """Just one thing was said, and all of this in it."""
    assert len(remarks) == 1 and all(part in remarks[0] for part in parts), remarks


def assert_as_colmap(model, folder):
    """The model is what pycolmap reads from the folder."""
    genuine = pycolmap.Reconstruction(str(folder))
    poses = {image.name: image.cam_from_world().matrix() for image in genuine.images.values()}
    assert set(model.names) == poses.keys()
    for name, pose in zip(model.names, model.camera_from_map, strict=True):
        np.testing.assert_allclose(pose.matrix[:3], poses[name], atol=1e-12)
    assert len(model.observation_px) == genuine.compute_num_observations()


def spaced(lines, extra):
    return [part for i, line in enumerate(lines) for part in ((line, *extra) if i % 2 else (line,))]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: spaced(lines, [""]),
        lambda lines: spaced(lines, ["# another", "", "  "]),
        lambda lines: ["", "  # made by a tool", " ", *lines],
        lambda lines: [f"{line} \t" for line in lines],
        lambda lines: [f"{line}\r" for line in lines],
        lambda lines: [line.replace(" ", "  ") for line in lines],
        lambda lines: [line.replace(" ", "\t") for line in lines],
        lambda lines: [f"  {line}" for line in lines],
    ],
)
def test_blank_lines_comments_and_space_change_nothing(folder, change):
    rewrite(folder / "images.txt", change)
    model, remarks = told(folder)
    assert_as_colmap(model, folder)
    assert len(model.observation_px) == len(MODEL.observation_px) and not remarks


@pytest.mark.parametrize("binary", [False, True])
def test_a_camera_may_have_any_number_that_colmap_gives(folder, binary):
    number = 2**32 - 2
    rewrite(folder / "cameras.txt", lambda lines: [f"{number} {line.split(maxsplit=1)[1]}" for line in lines])
    rewrite(
        folder / "images.txt",
        lambda lines: [
            line if i % 2 else " ".join([*line.split()[:8], str(number), line.split()[9]])
            for i, line in enumerate(lines)
        ],
    )
    model = read_colmap(to_binary(folder) if binary else folder)
    assert model.camera_ids.tolist() == IMAGES * [number]
    assert model.main_camera == MODEL.main_camera == model.camera(0)
    assert list(model.distinct_cameras().values()) == [model.main_camera]


def test_an_image_without_keypoints_is_read_whether_or_not_another_follows(folder):
    rewrite(folder / "images.txt", lambda lines: [*lines[:2], lines[2], "", *lines[4:-1]])
    model = read_colmap(folder)
    assert model.names == MODEL.names
    seen = np.bincount(model.observation_image, minlength=IMAGES)
    assert (np.flatnonzero(seen == 0) == [1, IMAGES - 1]).all()


def test_a_file_of_another_kind_that_was_left_beside_a_model_is_not_mixed_in(folder):
    binary = to_binary(folder)
    stale = (binary / "cameras.bin").read_bytes()
    (folder / "cameras.bin").write_bytes(stale.replace(np.float64(500).tobytes(), np.float64(900).tobytes()))
    assert read_colmap(folder).cameras == MODEL.cameras
    (folder / "images.txt").rename(folder / "images.old")
    shutil.copy(binary / "images.bin", folder)
    with pytest.raises(RelocError, match=r"no whole COLMAP model.*points3D\.bin"):
        read_colmap(folder)


def moved(line):
    columns = line.split()
    return " ".join([*columns[:7], repr(float(columns[7]) + 0.1), *columns[8:]])


@pytest.mark.parametrize("binary", [False, True])
def test_poses_are_those_of_the_frames_as_in_colmap_and_it_is_said(rigged, binary):
    rewrite(
        rigged / "images.txt",
        lambda lines: [line if i % 2 or i < 6 else moved(line) for i, line in enumerate(lines)],
    )
    if binary:
        rigged = to_binary(rigged.with_name("old"))
        move_frames_bin(rigged)
    model, remarks = told(rigged)
    assert_as_colmap(model, rigged)
    count = IMAGES if binary else IMAGES - 3
    suffix = "bin" if binary else "txt"
    assert_told(remarks, f"{count} of {IMAGES} images have another pose in frames.{suffix}")


def move_frames_bin(folder):
    """Shift each frame of a model whose frames have one image each by a tenth of a metre."""
    record = np.dtype([("ids", "<u4", 2), ("quaternion", "<f8", 4), ("shift", "<f8", 3), ("rest", "V20")])
    contents = (folder / "frames.bin").read_bytes()
    frames = np.frombuffer(contents, record, offset=8).copy()
    frames["shift"][:, 0] += 0.1
    (folder / "frames.bin").write_bytes(contents[:8] + frames.tobytes())


@pytest.mark.parametrize("binary", [False, True])
def test_a_rig_of_two_cameras_places_both(rigged, binary):
    """Frame 7 has the last two images: one by the rig's first camera, one by a second beside it."""
    rewrite(rigged / "cameras.txt", lambda lines: [*lines, f"2{lines[0][1:]}"])
    rewrite(
        rigged / "rigs.txt",
        lambda lines: ["1 3 CAMERA 1 CAMERA 2 1 0.9950041652780258 0 0.09983341664682815 0 0.5 0 0 IMU 1 0"],
    )
    rewrite(
        rigged / "frames.txt",
        lambda lines: [
            *lines[:-2],
            lines[-2].replace(" 1 CAMERA 1 11", " 3 IMU 1 77 CAMERA 1 11 CAMERA 2 12"),
        ],
    )
    rewrite(
        rigged / "images.txt", lambda lines: [line.replace(" 1 image_011", " 2 image_011") for line in lines]
    )
    folder = to_binary(rigged) if binary else rigged
    model, remarks = told(folder)
    assert_as_colmap(model, folder)
    right_from_left = SE3.from_quaternion_wxyz([0.9950041652780258, 0, 0.09983341664682815, 0], [0.5, 0, 0])
    np.testing.assert_allclose(
        model.camera_from_map[11].matrix, (right_from_left @ model.camera_from_map[10]).matrix, atol=1e-12
    )
    # pycolmap writes images.bin with the poses of the frames.
    assert any(f"1 of {IMAGES} images have another pose" in remark for remark in remarks) != binary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "rigs.txt").unlink(), r"has frames\.txt without rigs\.txt"),
        (lambda folder: (folder / "frames.txt").unlink(), r"has rigs\.txt without frames\.txt"),
        (
            lambda folder: rewrite(folder / "frames.txt", lambda lines: lines[:-2]),
            r"2 images in none of the frames.* 'image_010\.jpg'",
        ),
        (
            lambda folder: rewrite(folder / "frames.txt", lambda lines: [*lines, "13 1 1"]),
            r"frames\.txt' is damaged",
        ),
        (
            lambda folder: rewrite(folder / "rigs.txt", lambda lines: ["2 1 CAMERA 1"]),
            r"frames\.txt' is damaged",
        ),
        (
            lambda folder: rewrite(folder / "rigs.txt", lambda lines: ["1 1 SONAR 1"]),
            r"rigs\.txt' is damaged",
        ),
    ],
)
def test_rigs_and_frames_that_do_not_fit_are_refused(rigged, change, message):
    change(rigged)
    with pytest.raises(RelocError, match=message):
        read_colmap(rigged)


@pytest.mark.parametrize("number", ["nan", "inf", "1e200"])
@pytest.mark.parametrize(("stem", "column"), [("images", 2), ("images", 6), ("points3D", 1), ("frames", 3)])
def test_numbers_without_end_are_refused(rigged, stem, column, number):
    rewrite(
        rigged / f"{stem}.txt",
        lambda lines: [
            " ".join([*lines[0].split()[:column], number, *lines[0].split()[column + 1 :]]),
            *lines[1:],
        ],
    )
    with pytest.raises(RelocError, match=rf"{stem}\.txt' is damaged"):
        read_colmap(rigged)


def test_bits_of_a_keypoint_that_are_no_number_are_refused(folder):
    file = to_binary(folder) / "images.bin"
    contents = bytearray(file.read_bytes())
    first = contents.index(b"\0", contents.index(MODEL.names[0].encode())) + 9  # after the name and the count
    contents[first : first + 8] = (0x7FF0_0000_0000_0001).to_bytes(
        8, "little"
    )  # signals, where it is reckoned with
    file.write_bytes(contents)
    with pytest.raises(RelocError, match=r"images\.bin' is damaged"):
        read_colmap(file.parent)


@pytest.mark.parametrize("stem", ["rigs", "frames"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_rigs_and_frames_cut_short_are_refused(rigged, stem, share):
    file = to_binary(rigged) / f"{stem}.bin"
    contents = file.read_bytes()
    file.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(RelocError, match=rf"{stem}\.bin"):
        read_colmap(file.parent)


@pytest.mark.parametrize("binary", [False, True])
def test_a_camera_that_no_image_uses_may_be_of_any_model(folder, binary):
    rewrite(
        folder / "cameras.txt",
        lambda lines: ["7 FOV 640 480 1 1 3 4 5", *lines, "8 THIN_PRISM_FISHEYE 640 480 500 500" + 10 * " 0"],
    )
    folder = to_binary(folder) if binary else folder
    assert read_colmap(folder).cameras == MODEL.cameras


def test_a_camera_of_a_model_that_is_not_even_known_matters_only_where_it_is_used(folder):
    rewrite(folder / "cameras.txt", lambda lines: [*lines, "7 KALEIDOSCOPE 640 480 1"])
    assert read_colmap(folder).cameras == MODEL.cameras
    rewrite(
        folder / "images.txt", lambda lines: [line.replace(" 1 image_003", " 7 image_003") for line in lines]
    )
    with pytest.raises(RelocError, match="KALEIDOSCOPE"):
        read_colmap(folder)


@pytest.mark.parametrize("number", ["4294967295", "18446744073709551615"])
def test_no_point_written_unsigned_is_no_point(folder, number):
    rewrite(
        folder / "images.txt",
        lambda lines: [line.replace("1.5 2.5 -1", f"1.5 2.5 {number}") for line in lines],
    )
    model, remarks = told(folder)
    np.testing.assert_array_equal(
        model.observation_px, read_colmap(to_binary_of(MODEL, folder)).observation_px
    )
    assert_told(remarks, f"{IMAGES} keypoints have -1 written unsigned for a point")


def to_binary_of(model, beside):
    write_colmap_text(model, beside.with_name("right"))
    return to_binary(beside.with_name("right"))


def test_no_point_of_32_bits_in_a_binary_model_is_no_point(folder):
    rewrite(
        folder / "images.txt",
        lambda lines: [line.replace("1.5 2.5 -1", "1.5 2.5 4294967295") for line in lines],
    )
    model, remarks = told(to_binary(folder))
    assert len(model.observation_px) == len(MODEL.observation_px)
    assert_told(remarks, f"{IMAGES} keypoints have -1 written unsigned for a point")


@pytest.mark.parametrize("line", ["1", "1 0.5 0.5 2.0", "-1 0.5 0.5 2.0 9 9 9 0.1 1 0"])
def test_a_point_without_number_place_or_colour_is_refused(folder, line):
    (folder / "points3D.txt").write_text(f"{line}\n{line}\n")
    with pytest.raises(RelocError, match=r"points3D\.txt' is damaged or cut short"):
        read_colmap(folder)


def test_points_that_points3d_lacks_are_left_out_and_said(folder):
    lost = MODEL.point_ids[:20]
    rewrite(folder / "points3D.txt", lambda lines: lines[20:])
    model, remarks = told(folder)
    assert not np.isin(lost, model.point_ids).any() and len(model.point_ids) == len(MODEL.point_ids) - 20
    count = int(MODEL.track_lengths[:20].sum())
    assert_told(
        remarks, f"{count} of {len(MODEL.observation_px)} observations are of points that points3D.txt"
    )


def seen_once(model):
    """The model with each point's first observation alone."""
    first = np.searchsorted(model.observation_point, np.arange(len(model.points_map)))
    fields = ("observation_point", "observation_image", "observation_px")
    return replace(model, **{field: getattr(model, field)[first] for field in fields})


def test_points_of_one_image_are_left_out_and_said(tmp_path):
    lonely = replace(
        MODEL,
        observation_image=np.where(MODEL.observation_point < 30, 0, MODEL.observation_image).astype(np.int32),
    )
    write_colmap_text(lonely, tmp_path)
    model, remarks = told(tmp_path)
    np.testing.assert_array_equal(model.point_ids, MODEL.point_ids[30:])
    assert_told(
        remarks, f"30 of {len(MODEL.point_ids)} points are seen by fewer than two images", "--retriangulate"
    )


def test_a_model_without_tracks_is_refused_with_the_way_out(tmp_path):
    write_colmap_text(seen_once(MODEL), tmp_path)
    with pytest.raises(RelocError, match=r"200 points, but none that two of its images see.*--retriangulate"):
        read_colmap(tmp_path)


def test_poses_alone_need_no_points(folder):
    shutil.copytree(folder, folder.with_name("right"))
    rewrite(folder / "images.txt", lambda lines: [part for line in lines[::2] for part in (line, "")])
    (folder / "points3D.txt").unlink()
    with pytest.raises(RelocError, match=r"no points3D\.bin or points3D\.txt"):
        read_colmap(folder)
    model, remarks = told(folder, with_points=False)
    assert model.names == MODEL.names and model.cameras == MODEL.cameras
    assert len(model.points_map) == 0 and not remarks
    with_points = read_colmap(folder.with_name("right"), with_points=False)
    assert len(with_points.points_map) == 0


def test_no_point_lies_behind_a_camera_that_sees_it(folder):
    """Its error would be without end, and with it the mean over all."""
    turned = "0 0 1 0"
    rewrite(
        folder / "images.txt",
        lambda lines: [
            " ".join([line.split()[0], turned, *line.split()[5:7], "-4", *line.split()[8:]])
            if i == 4
            else line
            for i, line in enumerate(lines)
        ],
    )
    model, remarks = told(folder)
    behind = int((MODEL.observation_image == 2).sum())
    assert np.isfinite(model.errors_px).all() and np.isfinite(model.project_observed()).all()
    assert_told(remarks, f"{behind} of {len(MODEL.observation_px)} observations are of points behind")


def test_an_observation_that_is_far_beyond_the_image_is_left_out_and_said(folder):
    rewrite(
        folder / "images.txt",
        lambda lines: [
            line.replace("1.5 2.5 -1", "9e11 2.5 8") if i == 5 else line for i, line in enumerate(lines)
        ],
    )
    model, remarks = told(folder)
    assert len(model.observation_px) == len(MODEL.observation_px) and model.errors_px.max() < 5
    assert_told(remarks, "1 of ", "an image's width from where they were seen")


@pytest.mark.parametrize(
    "change",
    [
        lambda columns: [columns[0], *columns[2:5], columns[1], *columns[5:]],
        lambda columns: [*columns[:5], repr(float(columns[5]) + 3), *columns[6:]],
        lambda columns: [*columns[:5], *(repr(-float(value)) for value in columns[5:8]), *columns[8:]],
    ],
)
def test_poses_that_are_not_those_of_the_points_are_refused(folder, change):
    """Quaternions that end with w, cameras moved without the points, camera to world."""
    rewrite(
        folder / "images.txt",
        lambda lines: [line if i % 2 else " ".join(change(line.split())) for i, line in enumerate(lines)],
    )
    with pytest.raises(RelocError, match="do not belong together"):
        read_colmap(folder)


def test_a_mark_of_byte_order_is_no_part_of_a_file(folder):
    for file in folder.glob("*.txt"):
        rewrite(file, lambda lines: lines)
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    model = read_colmap(folder)
    assert model.names == MODEL.names and len(model.points_map) == len(MODEL.points_map)


@pytest.mark.parametrize("name", ["../image.jpg", "a/../../image.jpg", "/photos/image.jpg"])
def test_names_that_lead_out_of_the_folder_of_images_are_refused(folder, name):
    file = folder / "images.txt"
    file.write_text(file.read_text().replace(MODEL.names[1], name))
    with pytest.raises(RelocError, match=f"outside of any folder of images, '{name}'"):
        read_colmap(folder)


def test_names_with_spaces_are_read_whole_and_said_where_colmap_would_cut_them(folder):
    rewrite(folder / "images.txt", lambda lines: [line.replace("image_", "an image_") for line in lines])
    model, remarks = told(folder)
    assert model.names[3] == "an image_003.jpg"
    assert_told(remarks, f"{IMAGES} names", "first space")
    with pytest.raises(RelocError, match=rf"{IMAGES} of its images have a name in common.*'an'.*space"):
        read_colmap(to_binary(folder))
