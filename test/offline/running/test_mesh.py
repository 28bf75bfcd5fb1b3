import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import SE3
from reloc_ros.offline.running import mesh
from reloc_ros.offline.running.mesh import GREY, Mesh, axes, read_mesh

CAMERA = Camera("pinhole", 160, 120, 100.0, 100.0, 80.0, 60.0)
BROWN = Camera("brown", 160, 120, 100.0, 100.0, 80.0, 60.0, (-0.2, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
WIDE = Camera("fisheye", 160, 120, 45.0, 45.0, 80.0, 60.0, (0.0, 0.0, 0.0, 0.0))
SQUARE_OBJ = "# a square\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1 4/1/1\n"
SQUARE_PLY = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face 1
property list uchar int vertex_indices
end_header
0 0 0 200 10 20
1 0 0 200 10 20
1 1 0 200 10 20
0 1 0 200 10 20
4 0 1 2 3
"""


def square(depth: float, size: float = 1.0, color: tuple[int, int, int] = (0, 0, 255)) -> Mesh:
    """Two triangles before the camera at the origin."""
    low, high = -size / 2, size / 2
    a, b, c, d = ((low, low, depth), (high, low, depth), (high, high, depth), (low, high, depth))
    return Mesh(np.array([[a, b, c], [a, c, d]], float), np.array([color, color], np.uint8))


def both(*meshes: Mesh) -> Mesh:
    return Mesh(*(np.concatenate([getattr(m, name) for m in meshes]) for name in ("corners_map", "colors")))


def drawn(mesh: Mesh, camera: Camera = CAMERA, pose: SE3 | None = None) -> np.ndarray:
    picture = np.zeros((camera.height, camera.width, 3), np.uint8)
    mesh.draw(picture, camera, pose or SE3.identity())
    return picture


@pytest.mark.parametrize("camera", [CAMERA, BROWN, WIDE], ids=lambda camera: camera.model)
def test_a_face_covers_what_the_camera_says_it_covers(camera):
    picture = drawn(square(2.0))
    corners = CAMERA.project([[-0.5, -0.5, 2.0], [0.5, 0.5, 2.0]])
    rows, columns = np.nonzero(picture.any(axis=2))
    np.testing.assert_allclose([columns.min(), rows.min()], corners[0], atol=1)
    np.testing.assert_allclose([columns.max(), rows.max()], corners[1], atol=1)


@pytest.mark.parametrize("swapped", [False, True])
def test_near_faces_hide_far_ones_in_whatever_order_they_come(swapped):
    near, far = square(2.0, 0.5, (0, 0, 255)), square(3.0, 2.0, (255, 0, 0))
    picture = drawn(both(far, near) if swapped else both(near, far))
    assert picture[60, 80, 2] > 0 and picture[60, 80, 0] == 0
    assert picture[60, 110, 0] > 0 and picture[60, 110, 2] == 0


def test_what_is_behind_the_camera_is_not_drawn():
    assert not drawn(square(-2.0)).any()


@pytest.mark.parametrize("camera", [CAMERA, BROWN, WIDE], ids=lambda camera: camera.model)
def test_a_floor_that_reaches_behind_the_camera_is_cut_off_at_it(camera):
    a, b, c, d = ((-50, 1, -50), (50, 1, -50), (50, 1, 50), (-50, 1, 50))
    floor = Mesh(np.array([[a, b, c], [a, c, d]], float), np.full((2, 3), 255, np.uint8))
    rows, columns = np.mgrid[: camera.height, : camera.width]
    rays = camera.unproject(np.column_stack([columns.ravel(), rows.ravel()])).reshape(*rows.shape, 2)
    judged = np.isfinite(rays).all(axis=2) & (np.abs(rays).max(axis=2) < 8)
    meets = rays[..., 1] > 1 / 50  # the ray (x, y, 1) meets the plane y = 1 at the depth 1 / y
    agrees = drawn(floor, camera).any(axis=2) == meets
    assert judged.mean() > 0.6 and agrees[judged].mean() > 0.985


@settings(max_examples=60)
@given(
    arrays(float, (4, 3, 3), elements=st.floats(-20, 20)),
    arrays(float, 3, elements=st.floats(-3, 3)),
    st.sampled_from([CAMERA, BROWN, WIDE]),
)
def test_any_triangle_seen_from_anywhere_can_be_drawn(corners, rotation_vector, camera):
    mesh = Mesh(corners, np.full((4, 3), 200, np.uint8))
    drawn(mesh, camera, SE3.from_rotation_vector(rotation_vector, [0.1, 0.2, 0.3]))


def test_a_triangle_as_thin_as_a_number_can_be_is_drawn():
    corners = np.array(
        [[[0, 0, 2.0], [0, 0, 2.0], [0, 0, 2.0]], [[3e-180, 0, 2.0], [0, 0, 3.0], [0, 0, 2.0]]]
    )
    drawn(Mesh(corners, np.full((2, 3), 200, np.uint8)))


def test_placing_scales_first_and_then_moves():
    pose = SE3.from_rotation_vector([0, 0, np.pi / 2], [10, 0, 0])
    placed = square(1.0).placed(pose, 2.0)
    np.testing.assert_allclose(placed.corners_map[0, 0], [11, -1, 2], atol=1e-12)


def test_faces_are_lit_by_how_they_are_turned_and_from_either_side():
    flat = drawn(square(2.0))[60, 80, 2]
    turned_back = Mesh(square(2.0).corners_map[:, ::-1], square(2.0).colors)
    assert drawn(turned_back)[60, 80, 2] == flat
    steep = square(2.0).placed(SE3.from_rotation_vector([0.9, 0, 0], [0, 0, 0]), 1.0)
    assert drawn(steep, pose=SE3.from_rotation_vector([-0.9, 0, 0], [0, 0, 0]))[60, 80, 2] != flat


def test_axes_point_along_x_y_and_z_in_red_green_and_blue():
    mesh = axes(1.0)
    for axis, bgr in enumerate((2, 1, 0)):
        rows = mesh.colors.argmax(axis=1) == bgr
        reach = mesh.corners_map[rows].reshape(-1, 3).max(axis=0)
        assert reach[axis] == 1.0 and reach.sum() < 1.2


def test_an_obj_is_read_with_its_polygons(tmp_path):
    path = tmp_path / "square.obj"
    path.write_text(SQUARE_OBJ)
    mesh = read_mesh(path)
    assert mesh.corners_map.tolist() == [
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
        [[0, 0, 0], [1, 1, 0], [0, 1, 0]],
    ]
    assert mesh.colors.tolist() == [list(GREY)] * 2


def test_an_obj_may_count_back_and_colour_its_vertices(tmp_path):
    path = tmp_path / "triangle.OBJ"
    path.write_text("v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 1 1 0 1 0 0\nf -3 -2 -1\n")
    mesh = read_mesh(path)
    assert mesh.corners_map.tolist() == [[[0, 0, 0], [1, 0, 0], [1, 1, 0]]]
    assert mesh.colors.tolist() == [[0, 0, 255]]


@pytest.mark.parametrize("text", [True, False], ids=["ascii", "binary"])
def test_a_ply_is_read_with_its_colours(tmp_path, text):
    plyfile = pytest.importorskip("plyfile")
    path = tmp_path / "square.ply"
    path.write_text(SQUARE_PLY)
    if not text:
        data = plyfile.PlyData.read(str(path))
        data.text = False
        data.write(str(path))
    mesh = read_mesh(path)
    assert mesh.corners_map.shape == (2, 3, 3)
    assert mesh.colors.tolist() == [[20, 10, 200]] * 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.stl", "", "neither .ply nor .obj"),
        ("m.obj", "", "no vertices"),
        ("m.obj", "v 1 2\nf 1 1 1\n", "no vertices of 3"),
        ("m.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\n", "no faces"),
        ("m.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n", "a vertex that is not there"),
        ("m.obj", "v 0 0 0\nv 1 0 x\n", "damaged"),
        ("m.obj", "v 0 0 0\nv 1 0 nan\nv 1 1 0\nf 1 2 3\n", "not finite"),
        ("m.obj", "v 0 0 0\nv 1 0 1e300\nv 1 1 0\nf 1 2 3\n", "not finite"),
        ("m.ply", "hello", "damaged"),
        ("m.ply", "", "damaged"),
        ("m.ply", SQUARE_PLY[:-30], "damaged"),
        ("m.ply", SQUARE_PLY.replace("face 1", "face 0").replace("4 0 1 2 3\n", ""), "no faces"),
    ],
)
def test_what_is_no_mesh_is_refused_by_name(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(RelocError) as error:
        read_mesh(tmp_path / name)
    assert words in str(error.value) and name in str(error.value)


def test_a_mesh_of_too_many_triangles_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("reloc_ros.offline.running.mesh.MAX_TRIANGLES", 1)
    (tmp_path / "square.obj").write_text(SQUARE_OBJ)
    with pytest.raises(RelocError, match="more than 1 triangles; simplify it"):
        read_mesh(tmp_path / "square.obj")


def test_no_more_triangles_are_made_than_can_be_drawn():
    """Of a polygon whose corners, read one by one, would take hours and all memory."""
    triangles, owners = mesh._fans([range(3), range(10**12)])
    assert len(triangles) == len(owners) == mesh.MAX_TRIANGLES + 1
    assert triangles[[0, 1, 2]].tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]] and owners[:3].tolist() == [
        0,
        1,
        1,
    ]


def test_a_missing_mesh_is_refused(tmp_path):
    for name in ("none.obj", "none.ply"):
        with pytest.raises(RelocError, match="cannot read mesh"):
            read_mesh(tmp_path / name)


def test_drawing_is_what_opencv_fills():
    """The mesh's outline is the polygon's, to the pixel."""
    expected = np.zeros((120, 160, 3), np.uint8)
    corners = CAMERA.project([[-0.5, -0.5, 2.0], [0.5, -0.5, 2.0], [0.5, 0.5, 2.0], [-0.5, 0.5, 2.0]])
    cv2.fillConvexPoly(expected, np.rint(corners).astype(int), (0, 0, 1))
    assert (drawn(square(2.0)).any(axis=2) == expected.any(axis=2)).all()
