#!/usr/bin/env bash
# Guess: IncrementalTriangulator.triangulate_image(image) makes points that this image sees.
# Instead: the observations of the others that match it are taken too. Where the image itself is an outlier, points are made from the
# images that were there before, and the image is no part of them; they count in the number that is returned.
# Bites: "localize one image, triangulate, count the new points" as a test of its pose: a wrong pose yields nearly as many.
# Do: count the points whose track holds the image, image.num_points3D.
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT; cd "$T"
python3 -m venv v; v/bin/pip install -qq pycolmap==4.2.1 numpy==2.4.6
v/bin/python - << 'END'
import sys
import numpy as np, pycolmap

pycolmap.logging.minloglevel = 3

def made(shift):
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions(num_rigs=1, num_frames_per_rig=4, num_points3D=50, camera_params=[1280, 512, 384, 0])
    with pycolmap.Database.open(f"{shift}.db") as database:
        model = pycolmap.synthesize_dataset(options, database)
        graph = pycolmap.DatabaseCache.create(database, pycolmap.DatabaseCacheOptions()).correspondence_graph
    for point in list(model.point3D_ids()): model.delete_point3D(point)
    image = model.images[max(model.reg_image_ids())]
    for keypoint in image.points2D: keypoint.xy = keypoint.xy + np.array([0, shift])
    pycolmap.IncrementalTriangulator(graph, model).triangulate_image(pycolmap.IncrementalTriangulatorOptions(), image.image_id)
    return model.num_points3D(), image.num_points3D

right, wrong = made(0), made(400)
print("pycolmap", pycolmap.__version__, "| guessed: 50 points, 50 of the image; a wrong image: 0, 0 | seen:", right, wrong)
if not (right == (50, 50) and wrong[0] > 20 and wrong[1] < 5): sys.exit("changed: other points are made now")
END
