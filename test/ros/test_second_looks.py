"""Images in which the network is lost are looked at again, by local features, beside the worker."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from feature_maps import make_feature_map
from node_process import lost_because
from table_bundle import CAMERA, camera_from_map, view

from reloc_ros.bundle import FEATURES
from reloc_ros.geometry import center_error, rotation_error_deg
from reloc_ros.io.manifest import digest_of, read_manifest, write_manifest
from reloc_ros.local_features.matching import detect
from reloc_ros.local_features.sift import Sift
from reloc_ros.ros.conversions import se3_from_pose
from reloc_ros.ros.input.second_looks import SecondLooks

POSE = camera_from_map(5)


def texture(seed: int = 0) -> np.ndarray:
    """Blobs of all sizes; black in the middle, so that the network takes it for another place."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.normal(size=(h, h * 4 // 3)), (CAMERA.width, CAMERA.height)) for h in (20, 60, 120)
    ]
    grey = cv2.normalize(sum(layers), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    grey[CAMERA.height // 2 - 2 :, CAMERA.width // 2 - 2 :][:5, :5] = 0
    return np.dstack([grey] * 3)


@pytest.fixture(scope="module")
def with_features(table_bundle, tmp_path_factory) -> Path:
    """The bundle, with what the texture shows from a pose as its local features."""
    keypoints_px, descriptors, _ = detect(Sift(640), texture())
    rng = np.random.default_rng(1)
    rays = np.column_stack([CAMERA.unproject(keypoints_px), np.ones(len(keypoints_px))])
    points_map = POSE.inverse().apply(rays * rng.uniform(2, 4, (len(rays), 1)))
    bundle = tmp_path_factory.mktemp("features") / "bundle"
    shutil.copytree(table_bundle, bundle)
    make_feature_map(descriptors, np.arange(len(rays)), points_map).save(bundle / FEATURES)
    manifest = read_manifest(bundle)
    manifest["files"][FEATURES] = digest_of(bundle / FEATURES)
    write_manifest(bundle, manifest)
    return bundle


def by_features(status) -> bool:
    return status.pose_published and status.found_by == "features"


def test_where_the_network_is_lost_features_give_the_pose_of_that_image(with_features, start_node, peer):
    start_node(bundle=str(with_features))
    status = peer.show(texture(), by_features)
    assert status.reason == "" and status.keypoints >= status.inliers > 50
    peer.wait_for(lambda: any(p.header.stamp == status.header.stamp for p in peer.poses), "its pose")
    pose = next(p for p in peer.poses if p.header.stamp == status.header.stamp)
    found = se3_from_pose(pose.pose).inverse()
    assert center_error(found, POSE) < 0.01 and rotation_error_deg(found, POSE) < 0.2
    assert all(
        one.pose_published == (one.found_by != "") or one.reason == "confirming" for one in peer.statuses
    )
    # The network takes over where it can, and what nothing knows is lost.
    assert peer.show(view(5), lambda one: one.found_by == "network").pose_published
    lost = peer.show(texture(7), lambda one: one.state == one.LOST and "by local features" in one.detail)
    assert not lost.pose_published and not lost.found_by


def test_without_fallback_it_stays_lost(with_features, start_node, peer):
    start_node(bundle=str(with_features), fallback="off")
    for _ in range(5):
        status = peer.show(texture(), lost_because("no_keypoints"))
        assert "features" not in status.detail
    assert peer.poses == []


def test_second_looks_take_the_newest_and_tell_of_the_others():
    handled, overtaken, started, go_on = [], [], threading.Event(), threading.Event()

    def handle(images):
        handled.append(images)
        started.set()
        go_on.wait(10)

    looks = SecondLooks(handle, overtaken.append, lambda images, error: None, lambda error: None)
    looks.put([1])
    assert started.wait(10)
    for image in (2, 3, 4):
        looks.put([image])
    assert overtaken == [[2], [3]]
    go_on.set()
    looks.stop()
    assert handled in ([[1], [4]], [[1]]) and (handled == [[1], [4]] or overtaken[-1] == [4])
