import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from feature_maps import make_feature_map
from scenes import TINY_CAMERA, TINY_SHAPE, random_landmarks

from reloc_ros.bundle import FEATURES, LANDMARKS, MANIFEST, ONNX_MODEL, TORCH_MODEL, Bundle, write_bundle
from reloc_ros.calibration import UNCALIBRATED, Calibration
from reloc_ros.cameras import Camera
from reloc_ros.errors import RelocError


def write(path: Path, content: bytes = b"a network", **changes) -> Bundle:
    given = {
        "scale": "metric",
        "camera": TINY_CAMERA,
        "network": TINY_SHAPE,
        "landmarks": random_landmarks(8),
        "made_from": {"map_images": 12},
        "write_models": lambda folder: (folder / ONNX_MODEL).write_bytes(content),
    }
    return write_bundle(path, **(given | changes))


@pytest.fixture
def path(tmp_path) -> Path:
    return write(tmp_path / "desk.bundle").path


def said(path: Path) -> dict:
    """What the manifest says, without its own hash, as before there was one."""
    manifest = json.loads((path / MANIFEST).read_text())
    del manifest["sha256"]
    return manifest


def edit_manifest(path: Path, **changes) -> None:
    (path / MANIFEST).write_text(json.dumps(said(path) | changes))


def refusal(path: Path) -> str:
    with pytest.raises(RelocError) as caught:
        Bundle.load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_bundle_goes_to_disk_and_back(path):
    bundle = Bundle.load(path)
    assert (bundle.scale, bundle.frame, bundle.camera, bundle.network) == (
        "metric",
        "map",
        TINY_CAMERA,
        TINY_SHAPE,
    )
    assert bundle.made_from == {"map_images": 12}
    np.testing.assert_array_equal(bundle.landmarks.positions_map, random_landmarks(8).positions_map)
    assert bundle.file(ONNX_MODEL).read_bytes() == b"a network"


PHONE = dataclasses.replace(TINY_CAMERA, width=1280, height=960, fx=1200.0, fy=1200.0)
FILM = Camera("pinhole", 1920, 1080, 1500.0, 1500.0, 959.5, 539.5)


def test_a_map_of_one_camera_takes_images_for_that_cameras(path):
    bundle = Bundle.load(path)
    assert "cameras" not in json.loads((path / MANIFEST).read_text())
    assert bundle.own_camera() == TINY_CAMERA
    assert bundle.camera_for(320, 240) == TINY_CAMERA.resized(320, 240)
    assert bundle.camera_for(1920, 1080) is None
    with pytest.raises(RelocError, match="no camera 'phone': the map was made with one camera"):
        bundle.own_camera("phone")


def test_a_map_of_several_cameras_wants_to_know_which_by_its_name(tmp_path):
    cameras = {"robot": TINY_CAMERA, "phone": PHONE, "film": FILM}
    bundle = Bundle.load(write(tmp_path / "desk.bundle", cameras=cameras).path)
    assert dict(bundle.cameras) == cameras
    for ask in (lambda: bundle.camera_for(640, 480), lambda: bundle.own_camera()):
        with pytest.raises(
            RelocError,
            match=r"3 cameras, 'robot' \(640x480, focal length 505 px\), 'phone' \(1280x960, .*--bundle-camera",
        ):
            ask()
    assert bundle.camera_for(640, 480, "phone") == PHONE.resized(640, 480)
    assert bundle.camera_for(1280, 720) == FILM.resized(1280, 720)  # the only one of that shape
    assert bundle.camera_for(480, 640) is None
    with pytest.raises(RelocError, match="no camera 'tablet': the map was made with 3 cameras"):
        bundle.camera_for(640, 480, "tablet")


def test_of_very_many_cameras_some_are_named(tmp_path):
    cameras = {f"{i}.jpg": dataclasses.replace(TINY_CAMERA, fx=500.0 + 20 * i) for i in range(20)}
    bundle = write(tmp_path / "desk.bundle", cameras=cameras)
    with pytest.raises(RelocError, match=r"'7\.jpg' .* and 12 more"):
        bundle.own_camera()


MEASURED = Calibration(1.5, 2.0, 4.0, 3.5, 0.3, 0.625, {"images": 8})
OF_FEATURES = Calibration(1.0, 3.0, 2.0, 9.5, 0.5, 0.5, {"images": 8})


def test_calibration_is_measured_on_the_finished_bundle_and_stays_in_it(tmp_path):
    seen = []

    def calibrate(bundle: Bundle) -> dict[str, Calibration]:
        seen.append(bundle.file(ONNX_MODEL).read_bytes())
        return {"calibration": MEASURED, "features_calibration": OF_FEATURES}

    written = write(tmp_path / "desk.bundle", calibrate=calibrate)
    assert seen == [b"a network"] and written.calibration == MEASURED
    loaded = Bundle.load(written.path)
    assert loaded.calibration == MEASURED and loaded.features_calibration == OF_FEATURES


def test_local_features_are_part_of_a_bundle_where_it_was_exported_with_some(tmp_path):
    descriptors = np.random.default_rng(0).integers(0, 256, (20, 128)).astype(np.uint8)
    known = make_feature_map(descriptors, np.arange(20) // 2, np.ones((10, 3)))

    def write_models(folder: Path) -> None:
        (folder / ONNX_MODEL).write_bytes(b"a network")
        known.save(folder / FEATURES)

    path = write(tmp_path / "desk.bundle", write_models=write_models).path
    np.testing.assert_array_equal(Bundle.load(path).features.descriptors, descriptors)
    assert Bundle.load(write(tmp_path / "other.bundle").path).features is None
    with (path / FEATURES).open("ab") as stream:
        stream.write(b"?")
    assert "features.npz is truncated or altered" in refusal(path)


def test_bundle_without_calibration_trusts_the_network_as_it_is(path):
    assert Bundle.load(path).calibration == UNCALIBRATED


@pytest.mark.parametrize("later", ["verified_share", "glance"])
def test_a_calibration_of_before_has_half_for_what_is_measured_since(path, later):
    entry = MEASURED.to_json()
    del entry[later]
    edit_manifest(path, calibration=entry)
    assert Bundle.load(path).calibration == dataclasses.replace(MEASURED, **{later: 0.5})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ([], "calibration must have the entries sigma_scale, coarse_scale"),
        ({"sigma_scale": 1.0}, "calibration must have the entries"),
        (MEASURED.to_json() | {"mood": 1}, "calibration must have the entries"),
        (MEASURED.to_json() | {"sigma_scale": 0}, "sigma_scale must be a number above zero, got 0"),
        (MEASURED.to_json() | {"glance": 1.5}, "glance must be a number above zero and at most 1, got 1.5"),
        (MEASURED.to_json() | {"sigma_scale": True}, "sigma_scale must be a number above zero, got True"),
        (
            MEASURED.to_json() | {"coarse_scale": "wide"},
            "coarse_scale must be a number above zero, got 'wide'",
        ),
        (MEASURED.to_json() | {"refined_scale": -1}, "refined_scale must be a number above zero, got -1"),
        (
            MEASURED.to_json() | {"min_evidence": 1e12},
            "min_evidence must be a number above zero, got 1000000000000.0",
        ),
        (MEASURED.to_json() | {"min_evidence": None}, "min_evidence must be a number above zero, got None"),
        (MEASURED.to_json() | {"made_from": 3}, "made_from must be a mapping, got 3"),
    ],
)
def test_calibration_that_makes_no_sense_is_refused_by_name(path, entry, words):
    edit_manifest(path, calibration=entry)
    assert str(path / MANIFEST) in refusal(path) and words in refusal(path)


def test_bundle_may_be_moved(path, tmp_path):
    moved = path.rename(tmp_path / "elsewhere")
    assert Bundle.load(str(moved)).file(ONNX_MODEL) == moved / ONNX_MODEL


def test_file_the_bundle_was_exported_without_is_refused_by_name(path):
    with pytest.raises(RelocError, match=r"has no network\.pt; it holds landmarks\.npz, network\.onnx"):
        Bundle.load(path).file(TORCH_MODEL)


def test_missing_folder_is_refused(tmp_path):
    assert "reloc export" in refusal(tmp_path / "nothing")
    assert "nothing" in refusal(tmp_path / "nothing")


def test_file_in_place_of_a_folder_is_refused(path):
    assert "not a folder" in refusal(path / MANIFEST)


def test_folder_without_a_manifest_is_refused(tmp_path):
    assert MANIFEST in refusal(tmp_path) and "reloc export" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"kind": "reloc_ros bu'])
def test_manifest_that_is_not_json_is_refused_by_name(path, content):
    (path / MANIFEST).write_bytes(content)
    assert str(path / MANIFEST) in refusal(path) and "export or copy it again" in refusal(path)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}", '{"kind": "another"}'])
def test_foreign_manifest_is_refused_by_name(path, content):
    (path / MANIFEST).write_text(content)
    assert "is not the manifest of a reloc_ros bundle" in refusal(path)


def test_newer_format_is_refused_and_an_update_advised(path):
    edit_manifest(path, format=2)
    assert "bundle format 2, newer than 1" in refusal(path) and "update" in refusal(path)


@pytest.mark.parametrize("value", [0, -1, "1", None, 1.5])
def test_impossible_format_is_refused(path, value):
    edit_manifest(path, format=value)
    assert f"format {value!r}" in refusal(path) and "export" in refusal(path)


@pytest.mark.parametrize("field", ["files", "network", "camera", "scale", "frame", "made_from"])
def test_manifest_without_a_field_is_refused_by_name(path, field):
    manifest = said(path)
    del manifest[field]
    (path / MANIFEST).write_text(json.dumps(manifest))
    assert str(path / MANIFEST) in refusal(path) and "export the bundle again" in refusal(path)


NETWORK = dataclasses.asdict(TINY_SHAPE)


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": "network.onnx"},
        {"network": 3},
        {"network": {}},
        {"network": NETWORK | {"depth": 3}},
        {"network": NETWORK | {"two\nlines": 3}},
        {"network": NETWORK | {"width": "wide"}},
        {"network": NETWORK | {"height": 0}},
        {"network": NETWORK | {"width": 100}},
        {"network": NETWORK | {"landmarks": None}},
        {"camera": None},
        {"camera": {}},
        {"camera": TINY_CAMERA.to_json() | {"fx": 0}},
        {"scale": "feet"},
        {"scale": None},
    ],
)
def test_manifest_with_a_nonsense_field_is_refused_by_name(path, change):
    edit_manifest(path, **change)
    assert str(path / MANIFEST) in refusal(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"metric"', '"unknown"'), ('"fx": 5', '"fx": 6'), ('"map_images": 12', '"map_images": 13')],
)
def test_a_manifest_that_was_changed_since_it_was_written_is_refused(path, old, new):
    whole = (path / MANIFEST).read_text()
    assert old in whole
    (path / MANIFEST).write_text(whole.replace(old, new, 1))
    assert f"{path / MANIFEST} is altered (its SHA-256 differs)" in refusal(path)


def test_a_manifest_counts_for_what_it_says_however_it_is_written(path):
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps(dict(reversed(manifest.items())), indent=3))
    assert Bundle.load(path).scale == "metric"


def test_a_bundle_from_before_manifests_had_a_hash_loads(path):
    (path / MANIFEST).write_text(json.dumps(said(path)))
    assert Bundle.load(path).made_from == {"map_images": 12}


def test_a_manifest_that_nests_without_end_is_refused(path):
    (path / MANIFEST).write_text("[" * 100_000 + "]" * 100_000)
    assert "cannot be read as JSON" in refusal(path)


@pytest.mark.parametrize("size", ["width", "height", "landmarks", "channels", "groups"])
def test_a_network_larger_than_any_is_refused_before_memory_is_taken_for_it(path, size):
    edit_manifest(path, network=NETWORK | {size: 32 << 20})
    assert "network sizes are 16384 at most" in refusal(path)


@pytest.mark.parametrize("name", [LANDMARKS, ONNX_MODEL])
def test_a_file_that_is_a_link_out_of_the_bundle_is_refused(path, name):
    outside = (path / name).rename(path.parent / name)
    (path / name).symlink_to(outside)
    assert f"{path / name} is a link that leaves the bundle" in refusal(path)


def test_a_bundle_all_of_links_to_one_folder_loads_as_colcon_installs_it(path, tmp_path):
    installed = tmp_path / "share"
    installed.mkdir()
    for file in path.iterdir():
        (installed / file.name).symlink_to(file)
    assert Bundle.load(installed).made_from == {"map_images": 12}
    (tmp_path / "by_name").symlink_to(installed)
    assert Bundle.load(tmp_path / "by_name").made_from == {"map_images": 12}


@pytest.mark.parametrize("name", [LANDMARKS, ONNX_MODEL])
def test_missing_file_is_refused_by_name(path, name):
    (path / name).unlink()
    assert f"lacks {name}" in refusal(path) and "again" in refusal(path)


@pytest.mark.parametrize("name", [LANDMARKS, ONNX_MODEL])
@pytest.mark.parametrize("keep", [0, 1, -1])
def test_truncated_file_is_refused_by_name(path, name, keep):
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[:keep])
    assert f"{path / name} is truncated or altered" in refusal(path) and "again" in refusal(path)


@pytest.mark.parametrize("name", [LANDMARKS, ONNX_MODEL])
def test_one_altered_bit_is_refused_by_name(path, name):
    whole = bytearray((path / name).read_bytes())
    whole[len(whole) // 2] ^= 1
    (path / name).write_bytes(whole)
    assert f"{path / name} is truncated or altered" in refusal(path)


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/hostname", "sub/network.onnx", "..", ""])
def test_file_outside_the_bundle_is_never_opened(path, name):
    outside = path.parent / "outside.onnx"
    outside.write_bytes(b"x")
    files = json.loads((path / MANIFEST).read_text())["files"]
    edit_manifest(path, files=files | {name: hashlib.sha256(b"x").hexdigest()})
    sentence = refusal(path)
    assert "not a plain file name" in sentence or "lacks" in sentence


def test_landmarks_that_the_manifest_does_not_list_are_not_trusted(path):
    files = json.loads((path / MANIFEST).read_text())["files"]
    del files[LANDMARKS]
    edit_manifest(path, files=files)
    assert f"lists no {LANDMARKS}" in refusal(path)


def test_landmarks_of_another_network_are_refused_with_both_numbers(path):
    edit_manifest(path, network=NETWORK | {"landmarks": 9})
    assert "8 landmarks but a network for 9" in refusal(path)


def test_failed_write_leaves_the_old_bundle_and_no_litter(path):
    def fail(folder: Path) -> None:
        (folder / ONNX_MODEL).write_bytes(b"half a netw")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write(path, write_models=fail)
    assert Bundle.load(path).file(ONNX_MODEL).read_bytes() == b"a network"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_bundle_replaces_a_bundle_as_a_whole(path):
    (path / TORCH_MODEL).write_bytes(b"from before")
    write(path, b"a better network")
    assert Bundle.load(path).file(ONNX_MODEL).read_bytes() == b"a better network"
    assert sorted(entry.name for entry in path.iterdir()) == sorted([MANIFEST, LANDMARKS, ONNX_MODEL])
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_bundle_may_fill_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert write(tmp_path / "empty").scale == "metric"


def test_foreign_folder_and_file_are_never_replaced(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"precious")
    for target in (photos, photos / "a.jpg"):
        with pytest.raises(RelocError, match="exists and is not a bundle"):
            write(target)
    assert (photos / "a.jpg").read_bytes() == b"precious"
