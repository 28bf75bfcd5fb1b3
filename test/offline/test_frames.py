import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.frames import extract_frames, frame_rate_hz, list_photos, read_photo, sharpness

TEXTURE = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)


def write_video(file, frames, rate_hz=25):
    writer = cv2.VideoWriter(
        str(file), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (160, 120)
    )
    for frame in frames:
        writer.write(frame)
    writer.release()


def numbers(folder):
    return [int(name[6:-4]) for name in list_photos(folder)]


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


def test_sharpness_falls_with_blur():
    assert sharpness(TEXTURE) > 2 * sharpness(cv2.GaussianBlur(TEXTURE, (0, 0), 1.0))


def test_the_sharp_frame_of_each_window_is_taken_and_numbered_by_its_place(tmp_path):
    blurred = cv2.GaussianBlur(TEXTURE, (0, 0), 2.0)
    sharp = {4, 15, 25, 34}
    write_video(tmp_path / "v.avi", [TEXTURE if i in sharp else blurred for i in range(40)])
    extract_frames(tmp_path / "v.avi", tmp_path / "frames", count=4)
    assert set(numbers(tmp_path / "frames")) == sharp
    assert frame_rate_hz(tmp_path / "frames") == 25


def test_frames_keep_a_distance_and_cover_the_video(tmp_path):
    rng = np.random.default_rng(1)
    frames = [cv2.GaussianBlur(TEXTURE, (0, 0), rng.uniform(0.5, 2)) for _ in range(200)]
    write_video(tmp_path / "v.avi", frames)
    extract_frames(tmp_path / "v.avi", tmp_path / "frames", count=20)
    taken = numbers(tmp_path / "frames")
    assert len(taken) == 20
    assert np.diff(taken).min() >= 3
    assert np.diff([0, *taken, 200]).max() <= 17


def test_short_video_gives_each_of_its_frames(tmp_path):
    write_video(tmp_path / "v.avi", [TEXTURE] * 5)
    extract_frames(tmp_path / "v.avi", tmp_path / "frames", count=150)
    assert numbers(tmp_path / "frames") == [0, 1, 2, 3, 4]


def test_frames_are_taken_again_only_when_the_video_or_the_count_changes(tmp_path):
    calls = []

    def progress(phase, done, total):
        calls.append(done)

    write_video(tmp_path / "v.avi", [TEXTURE] * 20)
    for count, expected in ((5, 5), (5, 5), (4, 9)):
        extract_frames(tmp_path / "v.avi", tmp_path / "frames", count, progress)
        assert len(calls) == expected
    assert len(list_photos(tmp_path / "frames")) == 4


def test_interrupted_extraction_leaves_nothing_behind(tmp_path):
    def interrupt(phase, done, total):
        raise KeyboardInterrupt

    write_video(tmp_path / "v.avi", [TEXTURE] * 20)
    with pytest.raises(KeyboardInterrupt):
        extract_frames(tmp_path / "v.avi", tmp_path / "frames", 5, interrupt)
    assert [file.name for file in tmp_path.iterdir()] == ["v.avi"]


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "v.mp4").write_text("words")
    with pytest.raises(RelocError, match=r"cannot read|readable frames"):
        extract_frames(tmp_path / "v.mp4", tmp_path / "frames")
    with pytest.raises(RelocError, match="no video"):
        extract_frames(tmp_path / "none.mp4", tmp_path / "frames")
    write_video(tmp_path / "v.avi", [TEXTURE] * 20)
    with pytest.raises(RelocError, match="from 1 frames"):
        extract_frames(tmp_path / "v.avi", tmp_path / "frames", count=1)


def test_photographs_have_no_frame_rate(tmp_path):
    assert frame_rate_hz(tmp_path) is None
