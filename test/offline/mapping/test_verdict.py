import dataclasses

import numpy as np
from synthetic_model import make_model

from reloc_ros.geometry import SE3
from reloc_ros.offline.mapping.consistency import OddStep
from reloc_ros.offline.mapping.mappers import describe_parts
from reloc_ros.offline.mapping.reconstruct import Reconstruction
from reloc_ros.offline.mapping.verdict import judge_model
from reloc_ros.offline.sources.gather import Group

MODEL = make_model(points=400)
"""Its points fill a third of each image."""
ALL = [Group("photos", MODEL.names, False)]


def whole(model):
    """A reconstruction of one part."""
    return Reconstruction(model, (model.names,))


def spread(model):
    """The model as cameras of a narrower view see it: its points then fill the images."""
    cameras = {
        key: dataclasses.replace(camera, width=320, height=320, cx=camera.cx - 160, cy=camera.cy - 112)
        for key, camera in model.cameras.items()
    }
    return dataclasses.replace(model, cameras=cameras, observation_px=model.observation_px - (160, 112))


def test_a_model_of_all_images_with_points_everywhere_is_good_and_needs_no_advice():
    verdict = judge_model(whole(spread(MODEL)), ALL)
    assert (verdict.grade, verdict.registered_share, verdict.advice) == ("good", 1.0, ())
    assert verdict.coverage > 0.5


def test_points_in_the_middle_of_the_images_are_not_enough():
    far = {key: camera.cropped(-640, -480, 1920, 1440) for key, camera in MODEL.cameras.items()}
    moved = dataclasses.replace(
        MODEL, cameras=far, observation_px=MODEL.observation_px + np.array([640, 480])
    )
    verdict = judge_model(whole(moved), ALL)
    assert verdict.coverage < 0.25 and verdict.grade == "poor"
    assert any("blank walls" in sentence for sentence in verdict.advice)


def test_many_missing_images_are_poor_with_advice_to_overlap():
    names = (*MODEL.names, *(f"lost_{i}.jpg" for i in range(12)))
    verdict = judge_model(whole(MODEL), [Group("photos", names, False)])
    assert verdict.grade == "poor" and verdict.registered_share == 0.5
    assert any("overlap" in sentence for sentence in verdict.advice)


def test_large_errors_are_relative_to_the_size_of_the_image():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1.6, MODEL.observation_px.shape)
    noisy = dataclasses.replace(MODEL, observation_px=MODEL.observation_px + noise)
    assert any("focus" in sentence for sentence in judge_model(whole(noisy), ALL).advice)
    enlarged = {key: camera.resized(2560, 1920) for key, camera in MODEL.cameras.items()}
    large = dataclasses.replace(
        MODEL, cameras=enlarged, observation_px=4 * MODEL.observation_px + 1.5 + noise
    )
    assert not any("focus" in sentence for sentence in judge_model(whole(large), ALL).advice)


def test_separate_parts_are_told_with_their_images():
    names = (*MODEL.names, "x_0.jpg", "x_1.jpg", "x_2.jpg", "nowhere.jpg")
    made = Reconstruction(MODEL, (MODEL.names, names[12:15]))
    verdict = judge_model(made, [Group("photos", names, False)])
    assert verdict.advice[0].startswith(
        "the images fell into 2 separate parts (12 from 'image_000.jpg' to 'image_011.jpg'; "
        "3 from 'x_0.jpg' to 'x_2.jpg'), with 1 images in none"
    )


def test_many_parts_are_summed_up():
    assert describe_parts([(f"{i}.jpg",) for i in range(8)], 8).endswith("and 3 smaller ones)")


def test_a_source_that_is_not_in_the_map_is_named():
    night = Group("night", ("n_0.jpg", "n_1.jpg"), True)
    verdict = judge_model(whole(MODEL), [*ALL, night])
    assert any(sentence.startswith("only 0 of the 2 images of 'night'") for sentence in verdict.advice)


def test_a_folded_model_is_poor_however_small_its_errors_are():
    made = dataclasses.replace(whole(spread(MODEL)), is_folded=True)
    verdict = judge_model(made, ALL)
    assert verdict.grade == "poor" and "contradict" in verdict.advice[0]


def test_a_walk_that_jumps_is_usable_at_best_and_says_where():
    steps = OddStep(("a.jpg", "b.jpg"), 7.0), OddStep(("c.jpg", "d.jpg"), 9.2)
    verdict = judge_model(dataclasses.replace(whole(spread(MODEL)), odd_steps=steps), ALL)
    assert verdict.grade == "usable" and "9-fold from 'c.jpg' to 'd.jpg'" in verdict.advice[0]


def test_images_that_disagree_are_named():
    verdict = judge_model(dataclasses.replace(whole(spread(MODEL)), dropped=("odd.jpg",)), ALL)
    assert verdict.grade == "good" and "left out: 'odd.jpg'" in verdict.advice[0]


def test_a_focal_length_that_ran_away_is_told():
    wide = {key: dataclasses.replace(camera, fx=60.0, fy=60.0) for key, camera in MODEL.cameras.items()}
    verdict = judge_model(whole(dataclasses.replace(MODEL, cameras=wide)), ALL)
    assert verdict.grade == "poor" and any("focal length" in sentence for sentence in verdict.advice)


def test_points_seen_from_nearly_one_place_are_not_good():
    one = MODEL.camera_from_map[0]
    poses = tuple(
        SE3(one.rotation, one.translation + 0.01 * pose.translation) for pose in MODEL.camera_from_map
    )
    still = dataclasses.replace(MODEL, camera_from_map=poses)
    still = dataclasses.replace(still, observation_px=still.project_observed())
    assert any("sideways" in sentence for sentence in judge_model(whole(still), ALL).advice)


def test_a_map_whose_focal_length_was_assumed_is_usable_at_best_and_says_what_to_do():
    made = dataclasses.replace(whole(spread(MODEL)), lens_is_assumed=True)
    verdict = judge_model(made, ALL)
    assert verdict.grade == "usable"
    assert len(verdict.advice) == 1 and "--camera" in verdict.advice[0]


def test_inexact_learned_features_in_a_small_part_of_the_images_make_no_map_to_rely_on():
    noise = np.random.default_rng(0).normal(0, 0.4, MODEL.observation_px.shape)
    rough = dataclasses.replace(MODEL, observation_px=MODEL.observation_px + 2 * noise)
    assert judge_model(whole(rough), ALL).grade == "usable"
    verdict = judge_model(dataclasses.replace(whole(rough), features="xfeat"), ALL)
    assert verdict.grade == "poor" and any("learned features" in sentence for sentence in verdict.advice)
    everywhere = spread(dataclasses.replace(MODEL, observation_px=MODEL.observation_px + noise))
    assert judge_model(dataclasses.replace(whole(everywhere), features="xfeat"), ALL).grade == "usable"
