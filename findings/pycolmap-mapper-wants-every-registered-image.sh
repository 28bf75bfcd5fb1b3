#!/usr/bin/env bash
# Guess: IncrementalMapper.begin_reconstruction continues a model in which one image has no verified matches, or says which image it is.
# Instead: IndexError "unordered_map::at". DatabaseCache.create leaves out images without matches, and the mapper looks each one up.
# Bites: a model with poses from elsewhere (motion capture, a prior), extended by new images. Do: load_all_images in DatabaseCacheOptions.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

pycolmap.logging.minloglevel = 3
pycolmap.set_random_seed(0)
options = pycolmap.SyntheticDatasetOptions()
options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig, options.num_points3D = 1, 1, 4, 80
with pycolmap.Database.open("database.db") as database:
    truth = pycolmap.synthesize_dataset(options, database)
    (camera,) = truth.cameras
    lonely = database.write_image(pycolmap.Image(name="lonely.png", camera_id=camera))
    database.write_keypoints(lonely, np.random.default_rng(0).uniform(0, 100, (10, 2)).astype(np.float32))
    frame = pycolmap.Frame()
    frame.rig_id = next(iter(truth.rigs))
    frame.add_data_id(pycolmap.data_t(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera), lonely))
    database.write_frame(frame)

def images(all_of_them):
    which = pycolmap.DatabaseCacheOptions()
    which.load_all_images = True
    with pycolmap.Database.open("database.db") as database: everything = pycolmap.DatabaseCache.create(database, which)
    model = pycolmap.Reconstruction()
    model.load(everything)
    for image in list(model.images.values()):
        known = truth.find_image_with_name(image.name)
        image.frame.rig_from_world = known.frame.rig_from_world if known else pycolmap.Rigid3d()
        model.register_frame(image.frame_id)
    which.load_all_images = all_of_them
    with pycolmap.Database.open("database.db") as database: cache = pycolmap.DatabaseCache.create(database, which)
    mapper = pycolmap.IncrementalMapper(cache)
    try: mapper.begin_reconstruction(model)
    except IndexError as error: return str(error)
    mapper.end_reconstruction(False)
    return model.num_reg_images()

seen = images(False), images(True)
print("pycolmap", pycolmap.__version__, "| guessed: 5 registered images | seen:", seen[0], "| with load_all_images:", seen[1])
if seen != ("unordered_map::at", 5): sys.exit("changed: an image without matches is continued, or named, now")
END
