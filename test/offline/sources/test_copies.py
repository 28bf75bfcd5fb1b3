import cv2
import numpy as np
import pytest
from moving_picture import WALL, pan

from reloc_ros.errors import RelocError
from reloc_ros.offline.sources.copies import copies_among, near_copies
from reloc_ros.offline.sources.gather import SourceOptions, gather, open_map_source
from reloc_ros.offline.sources.open_source import open_source


def write(folder, pictures, suffix="png", size=None):
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        picture = picture if size is None else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{index:03d}.{suffix}"), picture)


def depths(count):
    return [np.random.default_rng(i).integers(0, 5000, (120, 160)).astype(np.uint16) for i in range(count)]


def masks(count):
    return [
        np.where(picture[:, :, 0] > 128, 255, 0).astype(np.uint8) for picture in pan(np.arange(count) * 60)
    ]


PICTURES = pan(np.arange(6) * 60)


def test_a_dataset_is_refused_in_one_sentence_that_names_its_folders(tmp_path):
    root = tmp_path / "garden"
    write(root / "images", PICTURES, "jpg")
    write(root / "images_2", PICTURES, "png", (80, 60))
    write(root / "images_4", PICTURES, "jpg", (40, 30))
    write(root / "depth", depths(6))
    write(root / "masks", masks(6))
    with pytest.raises(RelocError) as refused:
        gather([root], tmp_path / "ws")
    said = str(refused.value)
    assert said.startswith(
        f"'{root}' holds more than photographs (images (6)): depth in depth (6), masks in masks (6), "
    )
    for other in ("images_2", "images_4"):
        assert f"in {other} (6) what images shows under the same names" in said
    assert f"give the photographs alone, '{root}/images'" in said and "\n" not in said
    assert open_map_source(root / "images", SourceOptions()).names and open_source(root).names


@pytest.mark.parametrize("others", [depths(6), masks(6)], ids=["depth", "masks"])
def test_depth_and_masks_are_told_by_their_pixels(tmp_path, others):
    write(tmp_path / "left", PICTURES)
    write(tmp_path / "right", others)
    kind = "depth" if others[0].dtype == np.uint16 else "masks"
    with pytest.raises(
        RelocError, match=rf"{kind} in right \(6\).*give the photographs alone, '{tmp_path}/left'"
    ):
        open_map_source(tmp_path, SourceOptions())


def test_colour_and_depth_in_one_folder_are_told_by_name(tmp_path):
    for index, picture in enumerate(PICTURES):
        cv2.imwrite(str(tmp_path / f"frame-{index:06d}.color.png"), picture)
        cv2.imwrite(str(tmp_path / f"frame-{index:06d}.depth.png"), depths(1)[0])
        cv2.imwrite(str(tmp_path / f"label {index}.png"), PICTURES[index])
    with pytest.raises(RelocError, match=r"\(itself \(12\)\): depth in itself \(6\)"):
        open_map_source(tmp_path, SourceOptions())


def test_days_in_folders_of_their_own_are_photographs_whatever_their_names(tmp_path):
    write(tmp_path / "monday", PICTURES)
    write(tmp_path / "friday", pan(30 + np.arange(6) * 90))
    write(tmp_path / "friday" / "more", pan(1400 - np.arange(3) * 50))
    assert len(open_map_source(tmp_path, SourceOptions()).names) == 15


def test_a_folder_of_16_bit_pictures_alone_is_one_of_photographs(tmp_path):
    write(tmp_path / "thermal", depths(4))
    assert len(open_map_source(tmp_path, SourceOptions()).names) == 4


def test_copies_are_found_whatever_their_size_and_format_and_neighbours_are_none(tmp_path):
    write(tmp_path / "a", PICTURES)
    write(tmp_path / "b", [PICTURES[1], PICTURES[4]], "webp", (80, 60))
    large = cv2.resize(PICTURES[4], (1280, 960), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "b" / "large.jpg"), large, [cv2.IMWRITE_JPEG_QUALITY, 60])
    write(tmp_path / "near", [WALL[:, 3:163].copy()])
    write(tmp_path / "blank", [np.full((120, 160, 3), 9, np.uint8)] * 2)
    (tmp_path / "a" / "bad.png").write_bytes(b"not an image")
    names = open_source(tmp_path).names
    assert near_copies(tmp_path, names) == [
        ("a/001.png", "b/000.webp"),
        ("a/004.png", "b/001.webp", "b/large.jpg"),
    ]


def test_copies_among_pictures_in_memory_are_those_of_their_files():
    half = cv2.resize(PICTURES[2], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    pictures = [*PICTURES[:3], half, WALL[:, 3:163].copy(), PICTURES[0]]
    assert copies_among(pictures).tolist() == [0, 1, 2, 2, 4, 0]
