import sys

import cv2
import numpy as np
import pytest
from moving_picture import TEXTURE
from scenes import png_that_claims

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.exif import Lens, read_exif
from reloc_ros.offline.sources.gather import gather
from reloc_ros.offline.sources.open_source import open_source
from reloc_ros.offline.sources.photographs import copy_name, list_photos, read_photo, write_copy


def test_photos_are_listed_in_name_order_and_other_files_are_not(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "sub/c.jpeg", ".thumbs/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_photos(tmp_path) == ("a.PNG", "b.jpg", "sub/c.jpeg")


def test_empty_and_missing_folders_are_refused(tmp_path):
    with pytest.raises(RelocError, match="holds no images"):
        list_photos(tmp_path)
    with pytest.raises(RelocError, match="no image folder"):
        list_photos(tmp_path / "none")
    (tmp_path / "IMG_1.DNG").touch()
    with pytest.raises(RelocError, match=r"holds no images.*; it holds 1 \.dng$"):
        list_photos(tmp_path)


def test_unreadable_image_is_refused_by_name(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 not really")
    with pytest.raises(RelocError, match=r"bad\.jpg.*damaged"):
        read_photo(tmp_path / "bad.jpg")
    (tmp_path / "huge.png").write_bytes(png_that_claims(60_000, 60_000))
    with pytest.raises(RelocError, match=r"huge\.png.*damaged"):
        read_photo(tmp_path / "huge.png")
    with pytest.raises(RelocError, match=r"none\.jpg.*no such file"):
        read_photo(tmp_path / "none.jpg")


def test_photo_is_read_as_the_sensor_saw_it_just_as_colmap_does(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    picture = pytest.importorskip("PIL.Image").fromarray(TEXTURE)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    picture.save(tmp_path / "turned.jpg", exif=exif)
    read = read_photo(tmp_path / "turned.jpg")
    assert read.shape == TEXTURE.shape
    assert pycolmap.Bitmap.read(str(tmp_path / "turned.jpg"), True).to_array().shape == TEXTURE.shape


UNEVEN = np.zeros((48, 64, 3), np.uint8)
UNEVEN[:24, :32], UNEVEN[4:8, 50:60] = 255, 128


def save_turned(file, orientation):
    """As a phone does: stored as the sensor saw it, with a note of how it was held; HEIC has a box for that as well."""
    picture = pytest.importorskip("PIL.Image").fromarray(UNEVEN)
    exif = picture.getexif()
    exif[0x0112], exif[0x0110] = orientation, "Phone 5"
    if file.suffix == ".heic":
        pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").register_heif_opener()
    options = {"tiffinfo": exif} if file.suffix == ".tiff" else {"exif": exif.tobytes(), "quality": 95}
    picture.save(file, **options)
    return file


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "heic"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_read_as_the_sensor_saw_it_and_copied_so_where_colmap_would_not(
    tmp_path, suffix, orientation
):
    file = save_turned(tmp_path / f"a.{suffix}", orientation)
    read = read_photo(file)
    assert read.shape == UNEVEN.shape and np.abs(read.astype(int) - UNEVEN).mean() < 3
    copy = copy_name(tmp_path, file.name)
    needed = suffix in ("webp", "heic") or (suffix == "tiff" and orientation > 1)
    assert (copy is not None) == needed
    if copy is not None:
        write_copy(file, tmp_path / copy)
        assert np.abs(read_photo(tmp_path / copy).astype(int) - UNEVEN).mean() < 3
        noted = read_exif(tmp_path / copy)
        assert noted.lens == Lens("Phone 5") and noted.orientation in (
            orientation,
            None if orientation == 1 else 0,
        )
    colmap = pytest.importorskip("pycolmap").Bitmap.read(str(tmp_path / (copy or file.name)), True).to_array()
    assert colmap.shape == UNEVEN.shape and np.abs(colmap.astype(int) - UNEVEN).mean() < 3


@pytest.mark.parametrize("suffix", ["heic", "webp"])
def test_an_image_is_read_by_what_is_in_it_whatever_it_is_called(tmp_path, suffix):
    file = save_turned(tmp_path / f"a.{suffix}", 6).rename(tmp_path / "IMG_0001.JPG")
    assert np.abs(read_photo(file).astype(int) - UNEVEN).mean() < 3
    assert copy_name(tmp_path, "IMG_0001.JPG") == "IMG_0001.JPG.jpg"


def test_heic_without_what_reads_it_is_refused_with_its_name(tmp_path, monkeypatch):
    save_turned(tmp_path / "IMG_0001.heic", 6).rename(tmp_path / "IMG_0001.JPG")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for use in (open_source, lambda folder: gather([folder], folder / "ws")):
        with pytest.raises(RelocError, match=r"IMG_0001\.JPG' is a HEIC image.*pip install pillow-heif"):
            use(tmp_path)


def test_16_bit_tiff_is_read_as_the_sensor_saw_it(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    deep = pil.fromarray(UNEVEN[:, :, 0].astype(np.uint16) * 257)
    for orientation in (1, 3, 6):
        deep.save(tmp_path / "a.tiff", tiffinfo={0x0112: orientation})
        np.testing.assert_array_equal(read_photo(tmp_path / "a.tiff"), UNEVEN)


def test_grey_and_16_bit_images_are_read_as_8_bit_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), TEXTURE[:, :, 0])
    cv2.imwrite(str(tmp_path / "deep.png"), TEXTURE.astype(np.uint16) * 257)
    for name in ("grey.png", "deep.png"):
        read = read_photo(tmp_path / name)
        assert read.shape == TEXTURE.shape and read.dtype == np.uint8
    np.testing.assert_array_equal(read, TEXTURE)


@pytest.mark.parametrize("greatest", [100, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", ["P5", "P6", "P2"])
def test_pnm_is_as_bright_as_its_head_says_just_as_colmap_has_it(tmp_path, greatest, magic):
    values = np.linspace(0, greatest, 12 * 16 * (3 if magic == "P6" else 1)).round().astype(int)
    words = "\n".join(map(str, values)).encode() + b"\n"
    pixels = words if magic == "P2" else values.astype("u1" if greatest < 256 else ">u2").tobytes()
    (tmp_path / "camera.pnm").write_bytes(
        f"{magic} # of a camera\n16 12\n# bits\n{greatest}\n".encode() + pixels
    )
    wanted = (values.reshape(12, 16, -1) * (255 / greatest))[..., ::-1]
    read = read_photo(tmp_path / "camera.pnm")
    assert np.abs(read - wanted).max() <= 1
    colmap = pytest.importorskip("pycolmap").Bitmap.read(str(tmp_path / "camera.pnm"), True).to_array()
    assert np.abs(colmap[..., ::-1] - wanted).max() <= 1


def test_photographs_of_two_cameras_or_zooms_in_one_folder_are_refused(tmp_path):
    pil = pytest.importorskip("PIL.Image")

    def photo(name, camera, focal_length=None):
        picture = pil.fromarray(TEXTURE)
        exif = picture.getexif()
        if camera:
            exif[0x0110] = camera
        if focal_length:
            exif.get_ifd(0x8769)[0x920A] = focal_length
        picture.save(tmp_path / name, exif=exif)

    photo("a.jpg", "Phone 5", 4.2)
    photo("b.jpg", None)
    photo("c.jpg", "Phone 5", 4.2)
    gather([tmp_path], tmp_path / "ws")
    photo("d.jpg", "Phone 5", 9.0)
    with pytest.raises(RelocError, match=r"d\.jpg' was taken by Phone 5 at 9 mm.*folder of their own"):
        gather([tmp_path], tmp_path / "ws")
    photo("d.jpg", "Tablet")
    with pytest.raises(RelocError, match=r"taken by Tablet"):
        gather([tmp_path], tmp_path / "ws")
