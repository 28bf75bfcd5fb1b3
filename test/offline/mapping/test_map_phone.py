"""What a phone brings, mapped: portrait HEIC photographs, a rotated video of a varying rate, copies."""

import cv2
import numpy as np
import pytest
from phone_videos import MATRICES, QUICKLY, needs_ffmpeg, show_by, vary_rate, write_mp4
from synthetic_model import make_model, write_colmap_text

from reloc_ros.demo.film.trajectories import CAMERA, mapping
from reloc_ros.demo.scene.places import reading_corner
from reloc_ros.demo.scene.renderer import Renderer
from reloc_ros.geometry import SE3
from reloc_ros.offline.align.map_frame import align
from reloc_ros.offline.align.sources import AlignSources
from reloc_ros.offline.mapping.map_images import map_images
from reloc_ros.offline.workspace import Workspace

TURNED = SE3.from_rotation_vector([0, 0, np.radians(-90)], np.zeros(3))
"""camera_from_upright_camera of a phone in portrait: the scene's top is at the stored picture's left."""


@needs_ffmpeg
@pytest.mark.slow
def test_portrait_heic_and_a_rotated_video_of_a_varying_rate_give_metres_and_gravity(tmp_path, small_sfm):
    pytest.importorskip("pycolmap")
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").register_heif_opener()
    pil = pytest.importorskip("PIL.Image")
    renderer, walk = Renderer(reading_corner().faces, CAMERA), mapping().camera_from_map
    photographed, filmed = ([TURNED @ pose for pose in walk[start:60:5]] for start in (0, 2))
    (tmp_path / "photos").mkdir()
    for index, pose in enumerate(photographed):
        picture = pil.fromarray(cv2.cvtColor(renderer.render(pose).image, cv2.COLOR_BGR2RGB))
        exif = picture.getexif()
        exif[0x0112], exif[0x0110] = 6, "Phone 5"
        name = f"IMG_{index:04d}.{'JPG' if index % 3 else 'HEIC'}"
        file = tmp_path / "photos" / name
        picture.save(file, format="HEIF", exif=exif.tobytes(), quality=95, enc_params=QUICKLY)
    even = write_mp4(tmp_path / "even.mp4", [renderer.render(pose).image for pose in filmed], 4)
    times_s = vary_rate(even, tmp_path / "walk.mp4", after=6, rate_hz=4)
    show_by(tmp_path / "walk.mp4", MATRICES["left"])

    sources = [tmp_path / "photos", tmp_path / "walk.mp4"]
    workspace, summary = map_images(sources, tmp_path / "ws", None, "none", small_sfm)
    assert summary.registered == summary.images == len(photographed) + len(filmed)
    assert any("12 HEIC images of" in remark for remark in summary.remarks)
    rows = [
        f"{time_s:.6f} {' '.join(map(str, pose.center))} 0 0 0 1"
        for time_s, pose in zip(times_s, filmed, strict=True)
    ]
    (tmp_path / "truth.tum").write_text("\n".join(rows))
    frame = align(workspace, AlignSources(trajectory=tmp_path / "truth.tum", up=("camera",)))
    by_time, by_camera = (estimate.up_sfm for estimate in frame.ups)
    assert frame.scales[0].of == len(filmed)  # every frame by its own time
    assert frame.scales[0].residual_m < 0.01
    assert np.degrees(np.arccos(np.clip(by_time @ by_camera, -1, 1))) < 0.5
    assert (
        frame.ups[1].notes[0].startswith(f"{summary.registered} of {summary.registered} pictures are turned")
    )


def test_copies_of_held_out_images_are_held_out_with_them(tmp_path):
    model = make_model()
    write_colmap_text(model, tmp_path / "colmap")
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    pictures = [cv2.resize(rng.integers(0, 256, (24, 32, 3), np.uint8), (640, 480)) for _ in model.names]
    pictures[6] = cv2.GaussianBlur(pictures[5], (0, 0), 1.5)  # another file of the same picture
    for name, picture in zip(model.names, pictures, strict=True):
        cv2.imwrite(str(tmp_path / "images" / name), picture)
    _, summary = map_images(tmp_path / "images", tmp_path / "ws", tmp_path / "colmap", "every:4:1")
    workspace = Workspace.open(tmp_path / "ws")
    held = [name for name in model.names if workspace.is_held_out([name])[0]]
    assert held == [model.names[i] for i in (1, 5, 6, 9)] and summary.held_out == 4
    (told,) = [remark for remark in summary.remarks if "copies" in remark]
    assert told.startswith("1 images are copies of held-out ones") and told.endswith(
        f"as '{model.names[6]}' is of '{model.names[5]}'"
    )
