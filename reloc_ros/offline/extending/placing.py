"""Place further images in a map whose own poses, points and intrinsics stay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from reloc_ros.offline.extending.fixed_map import fixed_map
from reloc_ros.offline.model.sfm import SfmModel
from reloc_ros.offline.progress import Progress, silent


class Placing:
    """Images of a database on their way into a finished map.

    Attributes:
        made: the `pycolmap.Reconstruction` of map and images; of the map only its tracks grow.
    """

    def __init__(self, known: SfmModel, database: Path, found: Collection[str]) -> None:
        """
        Args:
            known: the map.
            database: holds keypoints and verified matches of its images and of those to place.
            found: names of images whose intrinsics nobody knows.
        """
        import pycolmap

        self.made: Any = fixed_map(known, database)
        self._points = frozenset(known.point_ids.tolist())
        all_images = pycolmap.DatabaseCacheOptions()
        all_images.load_all_images = True  # those of the map that no new one matches, too
        with closing(pycolmap.Database.open(str(database))) as opened:
            cache = pycolmap.DatabaseCache.create(opened, all_images)
            self._ids = {image.name: image.image_id for image in opened.read_all_images()}
            camera_ids = {image.name: image.camera_id for image in opened.read_all_images()}
        own = {camera_ids[name] for name in known.names}
        self._free_cameras = {camera_ids[name] for name in found} - own
        self._placed: list[int] = []
        self._mapper = pycolmap.IncrementalMapper(cache)
        self._mapper.begin_reconstruction(self.made)
        self._options = pycolmap.IncrementalMapperOptions()
        self._options.random_seed = 0
        self._triangulation = pycolmap.IncrementalTriangulatorOptions()
        self._triangulation.random_seed = 0

    def extend(self, names: Sequence[str], progress: Progress = silent) -> tuple[str, ...]:
        """Place what can be placed of some images, and find points for what they and the map's see; names of those."""
        waiting = {self._ids[name]: name for name in names if name in self._ids}
        placed: list[str] = []
        adjust_at = 1
        progress("place images", 0, len(names))
        while next_id := self._next(waiting):
            placed.append(waiting.pop(next_id))
            self._placed.append(next_id)
            self._mapper.triangulate_image(self._triangulation, next_id)
            progress("place images", len(placed), len(names))
            if (
                len(placed) >= adjust_at
            ):  # intrinsics that nobody knows, and chains of new images, drift otherwise
                self._adjust()
                adjust_at *= 2
        for image_id in self._placed:  # with all others placed there is more to see together
            self._mapper.triangulate_image(self._triangulation, image_id)
        self._adjust()
        return tuple(placed)

    def add_aside(self, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Place images that have no say in anything else.

        Returns:
            Names of those that found a place, and of those that were not tried: nothing tells their intrinsics.
        """
        self._options.abs_pose_refine_focal_length = self._options.abs_pose_refine_extra_params = False
        told = {self.made.images[image_id].camera_id for image_id in self._placed}
        placed, unknown = [], []
        for name in sorted(names):
            if name not in self._ids:
                continue
            camera_id = self.made.images[self._ids[name]].camera_id
            if camera_id in self._free_cameras - told:
                unknown.append(name)
            elif self._mapper.register_next_image(self._options, self._ids[name]):
                placed.append(name)
        return tuple(placed), tuple(unknown)

    def _next(self, waiting: dict[int, str]) -> int | None:
        for image_id in self._mapper.find_next_images(self._options, structure_less=False):
            if image_id in waiting and self._mapper.register_next_image(self._options, image_id):
                return image_id
        return None

    def _adjust(self) -> None:
        """Bundle adjustment of the placed images, of what they found, and of nothing that the map holds."""
        import pycolmap

        config = pycolmap.BundleAdjustmentConfig()
        seen: set[int] = set()
        for image_id in self._placed:
            config.add_image(image_id)
            image = self.made.images[image_id]
            seen |= {point.point3D_id for point in image.points2D if point.has_point3D()}
            if image.camera_id not in self._free_cameras:
                config.set_constant_cam_intrinsics(image.camera_id)
        for point_id in seen:
            if point_id in self._points:
                config.add_constant_point(point_id)
            else:
                config.add_variable_point(point_id)
        if not seen:
            return
        options = pycolmap.BundleAdjustmentOptions()
        options.print_summary = False
        options.ceres.loss_function_type = pycolmap.LossFunctionType.SOFT_L1
        pycolmap.create_default_bundle_adjuster(options, config, self.made).solve()
