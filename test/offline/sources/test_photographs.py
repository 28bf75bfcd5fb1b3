import cv2
import numpy as np
import pytest
from moving_picture import TEXTURE
from scenes import png_that_claims

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.gather import gather
from reloc_ros.offline.sources.photographs import list_photos, read_photo


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


def test_grey_and_16_bit_images_are_read_as_8_bit_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), TEXTURE[:, :, 0])
    cv2.imwrite(str(tmp_path / "deep.png"), TEXTURE.astype(np.uint16) * 257)
    for name in ("grey.png", "deep.png"):
        read = read_photo(tmp_path / name)
        assert read.shape == TEXTURE.shape and read.dtype == np.uint8
    np.testing.assert_array_equal(read, TEXTURE)


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
