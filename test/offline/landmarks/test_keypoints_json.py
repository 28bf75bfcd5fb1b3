import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_model import make_model

from reloc_ros.errors import RelocError
from reloc_ros.landmarks import Landmarks
from reloc_ros.offline.landmarks.keypoints_json import read_keypoints, write_keypoints
from reloc_ros.offline.landmarks.labels import Labels, Visibility, unlabelled

SEEN, HIDDEN, UNKNOWN = Visibility.SEEN, Visibility.HIDDEN, Visibility.UNKNOWN
IMAGES, LANDMARKS = 12, 12
MODEL = make_model(images=IMAGES)
WIDTHS = [640] * IMAGES


def landmarks() -> Landmarks:
    """Of the model's points; the last two are beside and behind the first camera."""
    pose = MODEL.camera_from_map[0]
    elsewhere = pose.inverse().apply([[30.0, 0, 4], [0, 0, -4]])
    positions = np.vstack([MODEL.points_map[: LANDMARKS - 2], elsewhere])
    return Landmarks(
        np.arange(LANDMARKS), positions, np.tile([0, 0, 1.0], (LANDMARKS, 1)), np.ones(LANDMARKS)
    )


@pytest.fixture(scope="module")
def empty() -> Labels:
    labels = unlabelled(MODEL, landmarks())
    assert np.isnan(labels.keypoints_px[0, -1]).all() and labels.visibility[0, -2] == HIDDEN
    assert (labels.visibility[0, : LANDMARKS - 2] == UNKNOWN).all()
    return labels


def random_labels(empty: Labels, seed: int) -> Labels:
    states = np.random.default_rng(seed).integers(-1, 2, empty.visibility.shape).astype(np.int8)
    return Labels(
        empty.names, empty.keypoints_px, np.where(empty.visibility == UNKNOWN, states, HIDDEN).astype(np.int8)
    )


@pytest.fixture
def file(empty, tmp_path):
    path = tmp_path / "keypoints.json"
    write_keypoints(path, random_labels(empty, 0))
    return path


@given(seed=st.integers(0, 1000))
def test_labels_go_to_a_file_and_back(tmp_path_factory, empty, seed):
    path = tmp_path_factory.mktemp("labels") / "keypoints.json"
    labels = random_labels(empty, seed)
    write_keypoints(path, labels)
    imported = read_keypoints(path, empty, WIDTHS)
    np.testing.assert_array_equal(imported.labels.visibility, labels.visibility)
    np.testing.assert_array_equal(imported.labels.keypoints_px, empty.keypoints_px)
    assert imported.missing == imported.ignored == ()


def test_the_file_is_of_the_original_form(file, empty):
    entries = json.loads(file.read_text())
    assert tuple(entries) == empty.names
    labels = random_labels(empty, 0)
    for name, pixels, states in zip(labels.names, labels.keypoints_px, labels.visibility, strict=True):
        for row, pixel, state in zip(entries[name], pixels, states, strict=True):
            assert row[2] == {SEEN: 1, HIDDEN: 0, UNKNOWN: None}[Visibility(state)]
            if np.isfinite(pixel).all():
                np.testing.assert_allclose(row[:2], pixel, atol=1e-3)
            else:
                assert row[:2] == [None, None]


def test_a_plain_file_is_numbers_alone_and_what_is_unknown_is_not_visible(empty, tmp_path):
    labels = random_labels(empty, 0)
    write_keypoints(tmp_path / "plain.json", labels, plain=True)
    table = np.array(list(json.loads((tmp_path / "plain.json").read_text()).values()), dtype=float)
    np.testing.assert_array_equal(table[:, :, 2] == 1, labels.visibility == SEEN)
    assert set(table[:, :, 2].ravel()) == {0, 1} and table[0, -1].tolist() == [-1, -1, 0]
    back = read_keypoints(tmp_path / "plain.json", empty, WIDTHS).labels.visibility
    np.testing.assert_array_equal(back == SEEN, labels.visibility == SEEN)
    assert not (back == UNKNOWN).any()


def edited(file, change) -> None:
    entries = json.loads(file.read_text())
    change(entries)
    file.write_text(json.dumps(entries))


def test_flags_override_and_may_be_booleans(file, empty):
    first, second = empty.names[:2]

    def change(entries):
        entries[first][0][2], entries[first][1][2], entries[second][0][2] = True, False, 1.0

    edited(file, change)
    states = read_keypoints(file, empty, WIDTHS).labels.visibility
    assert states[0, :2].tolist() == [SEEN, HIDDEN] and states[1, 0] == SEEN


def test_in_an_image_that_the_file_does_not_have_all_is_unknown(file, empty):
    edited(file, lambda entries: entries.pop(empty.names[2]))
    imported = read_keypoints(file, empty, WIDTHS)
    assert imported.missing == (empty.names[2],)
    np.testing.assert_array_equal(imported.labels.visibility[2], empty.visibility[2])


def test_held_out_images_are_left_out_and_strange_ones_refused(file, empty):
    edited(file, lambda entries: entries.update({"held.jpg": "whatever"}))
    assert read_keypoints(file, empty, WIDTHS, frozenset({"held.jpg"})).ignored == ("held.jpg",)
    with pytest.raises(RelocError, match=r"has an image 'held\.jpg' that the workspace does not know"):
        read_keypoints(file, empty, WIDTHS)


def test_a_file_of_none_of_the_images_is_refused(tmp_path, empty):
    (tmp_path / "k.json").write_text('{"held.jpg": []}')
    with pytest.raises(RelocError, match="has none of the 12 map images"):
        read_keypoints(tmp_path / "k.json", empty, WIDTHS, frozenset({"held.jpg"}))


def test_landmarks_in_another_order_are_refused(file, empty):
    edited(file, lambda entries: entries[empty.names[1]].reverse())
    with pytest.raises(RelocError, match=r"image_001\.jpg'.* but the landmark is at .* in their order"):
        read_keypoints(file, empty, WIDTHS)


@pytest.mark.parametrize(("off_px", "refused"), [(3.0, False), (3.4, True)])
def test_a_position_may_be_off_by_half_a_percent_of_the_width(file, empty, off_px, refused):
    def move(entries):
        entries[empty.names[3]][5][0] += off_px

    edited(file, move)
    if not refused:
        assert read_keypoints(file, empty, WIDTHS).missing == ()
        return
    with pytest.raises(RelocError, match=r"keypoint 5 is at .* and 1 of"):
        read_keypoints(file, empty, WIDTHS)


def test_a_landmark_in_the_image_needs_its_position(file, empty):
    edited(file, lambda entries: entries[empty.names[0]][2].__setitem__(0, None))
    with pytest.raises(RelocError, match="keypoint 2 is at null, but the landmark is at"):
        read_keypoints(file, empty, WIDTHS)


@pytest.mark.parametrize("k", [LANDMARKS - 2, LANDMARKS - 1])
def test_what_is_not_in_the_image_cannot_be_visible(file, empty, k):
    edited(file, lambda entries: entries[empty.names[0]][k].__setitem__(2, 1))
    with pytest.raises(
        RelocError, match=f"keypoint {k} is visible, but the landmark is not within the image"
    ):
        read_keypoints(file, empty, WIDTHS)


def test_positions_outside_the_image_do_not_matter(file, empty):
    """Other programs project what is behind the camera to somewhere, or bend far rays otherwise."""

    def move(entries):
        entries[empty.names[0]][-2][:2], entries[empty.names[0]][-1][:2] = [12.0, 9e9], [100, 100]

    edited(file, move)
    assert read_keypoints(file, empty, WIDTHS).missing == ()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("[1, 2]", r"keypoint 0 must be \[x, y, visible\]"),
        ("7", r"keypoint 0 must be \[x, y, visible\]"),
        ('["1", 2, 1]', "with finite x and y"),
        ("[true, 2, 1]", "with finite x and y"),
        ("[NaN, 2, 1]", "with finite x and y"),
        ("[1e999, 2, 1]", "is too large"),
        (f"[1{'0' * 400}, 2, 1]", "is too large"),
        ("[1, 2, 2]", "visible of keypoint 0 must be 1, 0 or null, not 2"),
        ("[1, 2, 0.5]", "must be 1, 0 or null, not 0.5"),
        ("[1, 2, NaN]", "must be 1, 0 or null, not NaN"),
        ('[1, 2, "yes"]', 'must be 1, 0 or null, not "yes"'),
        ("[1, 2, [1]]", "must be 1, 0 or null"),
    ],
)
def test_malformed_keypoints_are_refused(tmp_path, empty, row, words):
    rows = ", ".join([row] * LANDMARKS)
    (tmp_path / "k.json").write_text(f'{{"image_000.jpg": [{rows}]}}')
    with pytest.raises(RelocError, match=words):
        read_keypoints(tmp_path / "k.json", empty, WIDTHS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not readable as JSON"),
        (b'{"image_000.jpg": [[1,', "is not readable as JSON"),
        (b"\xff\xfe\x00", "is not readable as JSON"),
        (b"[" * 100_000, "is not readable as JSON"),
        (b"[]", "must be of the form"),
        (b"{}", "must be of the form"),
        (b"null", "must be of the form"),
        (b'{"image_000.jpg": {}}', "has no list where the map has 12 landmarks"),
        (b'{"image_000.jpg": [[1, 2, 1]]}', "has 1 keypoints where the map has 12 landmarks"),
        (b'{"image_000.jpg": [], "image_000.jpg": []}', r"has 'image_000\.jpg' 2 times"),
    ],
)
def test_malformed_files_are_refused(tmp_path, empty, content, words):
    (tmp_path / "k.json").write_bytes(content)
    with pytest.raises(RelocError, match=words):
        read_keypoints(tmp_path / "k.json", empty, WIDTHS)


def test_missing_files_and_folders_are_refused(tmp_path, empty):
    with pytest.raises(RelocError, match=r"cannot read .*nowhere\.json"):
        read_keypoints(tmp_path / "nowhere.json", empty, WIDTHS)
    with pytest.raises(RelocError, match="cannot read"):
        read_keypoints(tmp_path, empty, WIDTHS)
    with pytest.raises(RelocError, match="is a folder; name the JSON file"):
        write_keypoints(tmp_path, empty)
    (tmp_path / "file").touch()
    with pytest.raises(RelocError, match="cannot write"):
        write_keypoints(tmp_path / "file" / "k.json", empty)
