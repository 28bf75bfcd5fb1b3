import cv2
import numpy as np
import pytest
from metric_room import aprilgrid_picture

from reloc_ros.errors import RelocError
from reloc_ros.offline.align.board_detector import BoardDetector, refine_corners
from reloc_ros.offline.align.boards import parse_board


def picture(text: str, legacy: bool = False) -> tuple[np.ndarray, float, np.ndarray]:
    """A board as printed, its pixels to a metre, and the pixel of its middle."""
    board = parse_board(text)
    if board.charuco is not None:
        board.charuco.setLegacyPattern(legacy)
        columns, rows = board.charuco.getChessboardSize()
        image = board.charuco.generateImage((100 * columns, 100 * rows))
        per_metre = 100 / board.charuco.getSquareLength()
    elif board.corners_board:
        first = min(corner for corner, _ in board.corners_board)
        grid = cv2.aruco.GridBoard((3, 2), 0.1, 0.02, board.dictionary, np.arange(first, first + 6))
        image, per_metre = grid.generateImage((680, 440)), 2000.0
    else:
        image, per_metre = board.dictionary.generateImageMarker(board.marker_id, 400), 400 / board.size_m
    middle = np.array(image.shape[1::-1]) / 2 - 0.5 + 60
    image = cv2.copyMakeBorder(image, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), per_metre, middle


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("charuco:7x5:0.04:0.03:DICT_4X4_50", 24),
        ("charuco:6x4:0.04:0.03:4x4_50", 15),
        ("grid:3x2:0.1:0.02:DICT_6X6_50:4", 24),
        ("aruco:0.12:DICT_5X5_100:17", 4),
        ("apriltag:0.12:apriltag_36h11:3", 4),
        ("aruco:0.12:36h11:3", 4),
    ],
)
def test_corners_are_found_where_the_board_has_them(text, count):
    image, per_metre, middle = picture(text)
    board = parse_board(text)
    found = BoardDetector(board)(image)
    assert len(found) == count
    for corner, pixel in found.items():
        # A marker's edges are between pixels.
        np.testing.assert_allclose(pixel, middle + per_metre * board.place_of(corner)[:2], atol=0.6)


def test_boards_in_the_pattern_of_older_opencv_are_found_too():
    text = "charuco:6x4:0.04:0.03:DICT_4X4_50"
    board = parse_board(text)
    image, per_metre, middle = picture(text, legacy=True)
    found = BoardDetector(board)(image)
    assert len(found) == 15
    for corner, pixel in found.items():
        np.testing.assert_allclose(pixel, middle + per_metre * board.place_of(corner)[:2], atol=0.6)


@pytest.mark.parametrize(("width", "blur_px"), [(800, 0.0), (260, 0.7), (3000, 0.5)])
@pytest.mark.parametrize(("turns", "border"), [(2, 2), (0, 2), (2, 1)])
def test_kalibrs_board_is_found_to_a_fraction_of_a_pixel(width, blur_px, turns, border):
    """Whichever way its tags are turned, and though black squares touch their corners."""
    drawn = aprilgrid_picture(turns, border, module=30)
    scale = width / len(drawn)
    image = cv2.resize(drawn, (width, width), interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), blur_px) if blur_px else image
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    image = np.clip(30 + 0.75 * image + noise, 0, 255).astype(np.uint8)
    board = parse_board(f"aprilgrid:6x6:0.088:0.3:border={border}")
    found = BoardDetector(board)(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    assert len(found) == 144
    tag_px = 30 * (6 + 2 * border) * scale
    for corner, pixel in found.items():
        expected = width / 2 - 0.5 + tag_px / 0.088 * board.place_of(corner)[:2]
        np.testing.assert_allclose(pixel, expected, atol=0.25)


def test_ids_of_kalibrs_board_go_from_the_lower_left_upwards():
    board = parse_board("aprilgrid:6x4:0.088:0.3")
    middle = {
        marker: np.mean([board.place_of((marker, k)) for k in range(4)], axis=0) for marker in (0, 6, 23)
    }
    np.testing.assert_allclose(middle[0], [-2.5 * 0.1144, 1.5 * 0.1144, 0])  # y is downwards
    np.testing.assert_allclose(middle[6], [-2.5 * 0.1144, 0.5 * 0.1144, 0])
    np.testing.assert_allclose(middle[23], [2.5 * 0.1144, -1.5 * 0.1144, 0])


def test_a_wrong_border_is_counted_and_its_markers_are_not_measured():
    image = cv2.cvtColor(aprilgrid_picture(module=12), cv2.COLOR_GRAY2BGR)
    detector = BoardDetector(parse_board("aruco:0.088:APRILTAG_36h11"))
    assert not detector(image)
    assert len(detector.borders) == 36 and all(dict(counts) == {2: 1} for counts in detector.borders.values())


def test_a_marker_that_was_printed_upside_down_is_turned_back():
    image, _, _ = picture("aruco:0.12:36h11:3")
    upright = BoardDetector(parse_board("aruco:0.12:36h11:3"))(image)
    turned = BoardDetector(parse_board("aruco:0.12:36h11:3:turn=180"))(
        np.ascontiguousarray(image[::-1, ::-1])
    )
    for corner, pixel in upright.items():
        np.testing.assert_allclose(turned[corner], pixel, atol=0.1)


def test_a_single_id_leaves_other_markers_out():
    image, _, _ = picture("aruco:0.12:DICT_5X5_100:17")
    assert not BoardDetector(parse_board("aruco:0.12:DICT_5X5_100:18"))(image)


@pytest.mark.parametrize("blur_px", [0.6, 1.2])
@pytest.mark.parametrize("turn_deg", [0, 23])
def test_edges_give_the_corners_of_a_blurred_square_without_moving_them_inwards(blur_px, turn_deg):
    """The square is drawn eight times as fine and averaged: what a sensor does."""
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([50.3, 49.6])
    true = middle + 20 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ rotation.T
    places = (np.stack(np.meshgrid(np.arange(800), np.arange(800)), -1) + 0.5) / 8 - 0.5
    inside = (np.abs((places - middle) @ rotation) <= 20).all(axis=2)
    fine = np.where(inside, 30, 220).astype(np.uint8)
    image = cv2.GaussianBlur(cv2.resize(fine, (100, 100), interpolation=cv2.INTER_AREA), (0, 0), blur_px)
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    refined = refine_corners(noisy, true + np.random.default_rng(1).normal(0, 0.4, (4, 2)))
    np.testing.assert_allclose(refined, true, atol=0.12)
    sizes = [np.linalg.norm(c - np.roll(c, 1, axis=0), axis=1).mean() for c in (refined, true)]
    assert abs(sizes[0] / sizes[1] - 1) < 0.003


def test_corners_without_clear_edges_stay():
    flat = np.full((100, 100), 128, np.uint8)
    corners = np.array([[30.0, 30], [70, 30], [70, 70], [30, 70]])
    np.testing.assert_array_equal(refine_corners(flat, corners), corners)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chess:7x5:0.04", "is not charuco:"),
        ("charuco:7x5:0.04:0.03", "is not charuco:"),
        ("charuco:7by5:0.04:0.03:DICT_4X4_50", "holds a number that is none"),
        ("charuco:7x5:0.03:0.04:DICT_4X4_50", "squares are larger than their markers"),
        ("charuco:2x2:0.04:0.03:DICT_4X4_50", "3x3 at least"),
        ("charuco:20x20:0.04:0.03:DICT_4X4_50", "only 50 markers"),
        ("aruco:0.1:DICT_9X9_7", "no dictionary DICT_9X9_7; use one of .*DICT_4X4_50"),
        ("aruco:-0.1:DICT_4X4_50", "above zero, not -0.1"),
        ("aruco:nan:DICT_4X4_50", "above zero, not nan"),
        ("aruco:0.1:DICT_4X4_50:x", "holds a number that is none"),
        ("grid:0x2:0.1:0.02:DICT_4X4_50", "at least one column"),
        ("grid:99999999x99999999:0.1:0.02:DICT_4X4_50", "no dictionary has markers for 99999999 by 99999999"),
        ("grid:9x9:0.1:0.02:DICT_4X4_50", "has the markers 0 to 49, and this needs 0 to 80"),
        ("aprilgrid:6x6:0.088", "is not charuco:"),
        ("aprilgrid:6x6:0.088:-0.3", "above zero, not -0.3"),
        ("aprilgrid:6x6:0.088:0.3:border=0", "1 to 4 squares wide, not 0"),
        ("aprilgrid:6x6:0.088:0.3:border=two", "holds a number that is none"),
        ("aprilgrid:6x6:0.088:0.3:turn=180", "boards of several tell that by themselves"),
        ("aruco:0.1:DICT_4X4_50:turn=45", "turned by 0, 90, 180 or 270"),
        ("aruco:0.1:DICT_4X4_50:colour=red", "is not charuco:"),
    ],
)
def test_a_bad_board_is_one_sentence(text, words):
    with pytest.raises(RelocError, match=words) as refused:
        parse_board(text)
    assert "\n" not in str(refused.value)
