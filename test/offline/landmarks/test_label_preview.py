import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from reloc_ros.errors import RelocError
from reloc_ros.offline.landmarks.label_preview import COLORS, HOLD_FRAMES, labelled_picture, write_preview
from reloc_ros.offline.landmarks.labels import Labels, Visibility

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN
SIZES = [(640, 480), (640, 480), (480, 640), (333, 111), (640, 480)]
"""Width and height of the images."""


def labels(count: int = len(SIZES)) -> Labels:
    """A seen, a hidden and an unknown landmark, one outside of the image and one behind the camera."""
    places = np.array([[0.25, 0.5], [0.5, 0.5], [0.75, 0.5], [1.5, 0.5], [np.nan, np.nan]])
    pixels = np.stack([places * size for size in SIZES[:count]]).astype(np.float32)
    states = np.tile(np.array([SEEN, HIDDEN, UNKNOWN, HIDDEN, HIDDEN], dtype=np.int8), (count, 1))
    return Labels(tuple(f"photo {i}.jpg" for i in range(count)), pixels, states)


def images() -> Iterator[np.ndarray]:
    for width, height in SIZES:
        yield np.full((height, width, 3), 90, np.uint8)


def is_color(pixel: np.ndarray, state: Visibility) -> bool:
    return np.abs(pixel.astype(int) - COLORS[state]).max() < 30  # through a lossy video as well


def dots_of(picture: np.ndarray) -> list[bool]:
    height, width = picture.shape[:2]
    return [
        is_color(picture[height // 2, int(width * share)], state)
        for share, state in ((0.25, SEEN), (0.5, HIDDEN), (0.75, UNKNOWN))
    ]


@pytest.mark.parametrize("index", range(len(SIZES)))
def test_dots_lie_on_their_landmarks_in_images_of_any_size(index):
    image = list(images())[index]
    width, height = SIZES[index]
    picture = labelled_picture(image, labels(), index, (320, 240))[:240]
    scale = min(320 / width, 240 / height)
    inner = round(width * scale), round(height * scale)
    x, y = (320 - inner[0]) // 2, (240 - inner[1]) // 2
    assert dots_of(picture[y : y + inner[1], x : x + inner[0]]) == [True, True, True]
    outside = picture.copy()
    outside[y : y + inner[1], x : x + inner[0]] = 114
    assert (outside == 114).all()  # nothing but the frame around an image of another shape


def test_what_is_drawn_is_counted_below():
    picture = labelled_picture(next(images()), labels(), 0, (320, 240))
    other = Labels(labels().names, labels().keypoints_px, np.full_like(labels().visibility, SEEN))
    assert (picture[240:] != labelled_picture(next(images()), other, 0, (320, 240))[240:]).any()


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("preview")
    write_preview(labels(), images(), (640, 480), folder / "sheet.png", folder / "video.mp4")
    return folder / "sheet.png", folder / "video.mp4"


def test_the_sheet_shows_every_image_and_the_video_each_for_a_while(written):
    sheet, video = cv2.imread(str(written[0])), cv2.VideoCapture(str(written[1]))
    assert sheet.shape[1] % 320 == 0
    shown = 0
    while True:
        read, frame = video.read()
        if not read:
            break
        if SIZES[shown // HOLD_FRAMES] == (640, 480):
            assert dots_of(frame[:720]) == [True, True, True]
        shown += 1
    assert shown == HOLD_FRAMES * len(SIZES)
    blue = np.all(np.abs(sheet.astype(int) - COLORS[SEEN]) < 10, axis=2).astype(np.uint8)
    blue = cv2.morphologyEx(blue, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))  # the captions' thin letters go
    assert cv2.connectedComponents(blue)[0] - 1 == len(SIZES)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_another_program_reads_the_video(written):
    asked = "stream=codec_name,width,height,nb_frames,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-show_entries", asked, "-of", "csv=p=0", str(written[1])]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    codec, width, height, rate, frames = found.stdout.strip().split(",")
    assert (codec, width, rate, frames) == ("mpeg4", "960", "10/1", str(HOLD_FRAMES * len(SIZES)))
    assert int(height) % 2 == 0 and found.stderr == ""


def test_an_image_that_cannot_be_read_leaves_the_preview_of_before(tmp_path):
    sheet, video = tmp_path / "sheet.png", tmp_path / "video.mp4"
    sheet.write_text("before")

    def broken() -> Iterator[np.ndarray]:
        yield next(images())
        raise RelocError("cannot read image")

    with pytest.raises(RelocError, match="cannot read image"):
        write_preview(labels(), broken(), (640, 480), sheet, video)
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"] and sheet.read_text() == "before"


def test_nothing_to_preview_is_refused(tmp_path):
    nothing = Labels((), np.zeros((0, 5, 2), np.float32), np.zeros((0, 5), np.int8))
    with pytest.raises(RelocError, match="no labelled image to preview; run reloc label first"):
        write_preview(nothing, [], (640, 480), tmp_path / "sheet.png", tmp_path / "video.mp4")
