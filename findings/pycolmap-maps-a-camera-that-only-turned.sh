#!/usr/bin/env bash
# Guess: twelve images of a camera that only turned hold no depth; incremental_mapping refuses them, or makes few points.
# Instead: where the focal length is not known beforehand (the default) it bends focal length and distortion until a
# baseline appears: all images, hundreds of points, half a pixel of error, camera centres metres apart.
# Bites: a video begun by panning on the spot: the map looks complete and no pose in it is worth anything.
# Do: compare the centres' spread with the points' depth, give the focal length, and walk while filming.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

pycolmap.logging.minloglevel = 3
pycolmap.set_random_seed(0)
rng = np.random.default_rng(0)
points = rng.normal(size=(3000, 3)) * [1, 0.4, 1]
points *= rng.uniform(2, 8, (3000, 1)) / np.linalg.norm(points, axis=1)[:, None]
camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[768, 320, 240, 0])  # 1.2 x width; truth 500
rig, views = pycolmap.Rig(), []
with pycolmap.Database.open("d.db") as database:
    camera.camera_id = database.write_camera(camera)
    rig.add_ref_sensor(camera.sensor_id)
    frame_rig = database.write_rig(rig)
    for i in range(12):
        (c, s), (d, t) = ((np.cos(a), np.sin(a)) for a in np.radians([6 * i, 3 * np.sin(i)]))
        x, y, z = np.array([[1, 0, 0], [0, d, -t], [0, t, d]]) @ [[c, 0, -s], [0, 1, 0], [s, 0, c]] @ points.T
        pixels = np.column_stack([x, y]) / z[:, None] * 500 + [320, 240] + rng.normal(0, 0.5, (3000, 2))
        seen = np.flatnonzero((z > 0.1) & (pixels > 0).all(1) & (pixels < [640, 480]).all(1))
        image = pycolmap.Image(name=f"{i}.jpg", camera_id=camera.camera_id, image_id=i + 1)
        frame = pycolmap.Frame(rig_id=frame_rig)
        database.write_image(image, True)
        frame.add_data_id(image.data_id)
        database.write_frame(frame)
        database.write_keypoints(i + 1, pixels[seen].astype(np.float32))
        for j, other in enumerate(views):
            _, there, here = np.intersect1d(other, seen, return_indices=True)
            if len(here) > 30: database.write_matches(j + 1, i + 1, np.column_stack([there, here]).astype(np.uint32))
        views.append(seen)
pycolmap.geometric_verification("d.db")
models = pycolmap.incremental_mapping("d.db", ".", ".").values()
model = max(models, key=lambda m: m.num_points3D(), default=pycolmap.Reconstruction())
print("pycolmap", pycolmap.__version__,
      "| guessed: no model | seen:", model.num_reg_images(), "images,", model.num_points3D(), "points,",
      "%.2f px" % model.compute_mean_reprojection_error(), "| focal length", [round(c.focal_length) for c in model.cameras.values()])
if not (model.num_reg_images() >= 8 and model.num_points3D() > 100):
    sys.exit("changed: a camera that only turned makes no model now")
END
