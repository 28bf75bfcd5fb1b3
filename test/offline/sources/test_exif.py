import cv2
import numpy as np
import pytest
from moving_picture import TEXTURE

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.exif import picture_tops, read_exif
from reloc_ros.offline.sources.open_source import open_source

pil = pytest.importorskip("PIL.Image")
rational = pytest.importorskip("PIL.TiffImagePlugin").IFDRational

PHONE = {0x010F: "Maker", 0x0110: "Phone 5"}
FOCAL_LENGTH, IN_35MM, ZOOM, LENS = 0x920A, 0xA405, 0xA404, 0xA434
WIDE = {FOCAL_LENGTH: rational(425, 100), IN_35MM: 26, ZOOM: rational(1, 1)}


def photo(file, details, camera=PHONE, orientation=None):
    picture = pil.fromarray(TEXTURE)
    exif = picture.getexif()
    exif.update(camera | ({0x0112: orientation} if orientation else {}))
    exif.get_ifd(0x8769).update(details)
    picture.save(file, exif=exif)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (WIDE | {IN_35MM: 52, ZOOM: rational(2, 1)}, r"at 4.25 mm \(52 mm in 35 mm film, digital zoom 2\)"),
        (WIDE | {IN_35MM: 52}, r"52 mm in 35 mm film"),
        (WIDE | {ZOOM: rational(2, 1)}, "digital zoom 2"),
        (WIDE | {FOCAL_LENGTH: 9.0}, "at 9 mm"),
        (WIDE | {LENS: "back ultra wide"}, "with back ultra wide"),
    ],
)
def test_whatever_tells_another_field_of_view_is_refused(tmp_path, other, words):
    photo(tmp_path / "a.jpg", WIDE | {LENS: "back wide"})
    photo(tmp_path / "b.jpg", other)
    with pytest.raises(
        RelocError, match=rf"b\.jpg' was taken by Maker Phone 5.*{words}.*'.*a\.jpg' by.*26 mm"
    ):
        open_source(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        WIDE,
        {},
        WIDE | {FOCAL_LENGTH: rational(0, 0)},  # some drones
        WIDE | {FOCAL_LENGTH: 0.0, IN_35MM: 0},
        WIDE | {ZOOM: rational(0, 1)},  # EXIF: not used
        WIDE | {ZOOM: rational(0, 0)},
        WIDE | {FOCAL_LENGTH: rational(4250000, 1000001)},
    ],
)
def test_what_is_not_told_or_the_same_is_no_mixture(tmp_path, other):
    photo(tmp_path / "a.jpg", WIDE)
    photo(tmp_path / "b.jpg", other)
    photo(tmp_path / "c.jpg", WIDE)
    assert len(open_source(tmp_path).names) == 3


def test_a_photograph_that_tells_little_does_not_hide_a_mixture_of_the_others(tmp_path):
    photo(tmp_path / "a.jpg", {FOCAL_LENGTH: rational(0, 0)})
    photo(tmp_path / "b.jpg", WIDE)
    photo(tmp_path / "c.jpg", WIDE | {IN_35MM: 52})
    with pytest.raises(RelocError, match=r"c\.jpg' was taken by.*b\.jpg' by"):
        open_source(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "heic"])
@pytest.mark.parametrize(
    ("orientation", "top"),
    list(enumerate(["top", "top", "bottom", "bottom", "left", "left", "right", "right"], start=1)),
)
def test_every_format_notes_which_side_of_its_stored_picture_is_up(tmp_path, suffix, orientation, top):
    if suffix == "heic":
        pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").register_heif_opener()
    picture = pil.fromarray(TEXTURE)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"a.{suffix}", exif=exif.tobytes() if suffix == "heic" else exif)
    noted = read_exif(tmp_path / f"a.{suffix}")
    assert noted.size == (160, 120)
    told_by_heif = suffix == "heic" and orientation == 1  # which it does not write
    assert picture_tops(tmp_path, [f"a.{suffix}"]) == {f"a.{suffix}": top} or told_by_heif


def test_a_damaged_image_notes_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 not really")
    assert read_exif(tmp_path / "a.jpg") is None
    cv2.imwrite(str(tmp_path / "plain.png"), np.zeros((4, 6, 3), np.uint8))
    assert picture_tops(tmp_path, ["a.jpg", "plain.png"]) == {}
