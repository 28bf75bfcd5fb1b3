"""Structure from motion: photographs in, a COLMAP model out, by pycolmap."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reloc_ros.atomic import atomic_path
from reloc_ros.camera_files import colmap_from_camera
from reloc_ros.errors import RelocError
from reloc_ros.geometry import Camera
from reloc_ros.offline.frames import read_photo
from reloc_ros.offline.progress import Progress, silent
from reloc_ros.offline.sfm import SfmModel, read_colmap
from reloc_ros.offline.workspace import fingerprint

CAMERA_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE")
MATCHINGS = ("exhaustive", "sequential")
MIN_IMAGES = 3
MIN_REGISTERED_SHARE = 0.25
"""With fewer the model is a fragment of the place, and everything after would be wasted on it."""
_WATCH_PERIOD_S = 0.5


@dataclass(frozen=True)
class SfmOptions:
    """What the reconstruction is to assume and to spend."""

    camera_model: str = "OPENCV"
    """COLMAP's model of the lens, whose parameters are found; one camera for all images of one size."""
    camera: Camera | None = None
    """Known intrinsics, which are then kept as they are."""
    matching: str = "exhaustive"
    """Every image with every other, or each with those near it in name order, for the frames of a video."""
    max_image_size: int = 1600
    """Features are looked for with the longer side shrunk to this many pixels."""
    max_features: int = 8192
    """An image at most; the time that matching takes grows with its square."""

    def __post_init__(self) -> None:
        if self.camera_model not in CAMERA_MODELS:
            raise RelocError(f"camera model '{self.camera_model}' is not one of {', '.join(CAMERA_MODELS)}")
        if self.matching not in MATCHINGS:
            raise RelocError(f"matching '{self.matching}' is not one of {', '.join(MATCHINGS)}")
        if self.max_image_size < 100 or self.max_features < 100:
            raise RelocError("max_image_size and max_features must be at least 100")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What came out."""

    model: SfmModel
    images: int
    """How many images went in; `len(model.names)` of them were registered."""
    models: int
    """How many separate pieces COLMAP found; the one with most images is `model`."""


def run_sfm(
    images_dir: str | Path,
    names: Sequence[str],
    sfm_dir: str | Path,
    options: SfmOptions | None = None,
    progress: Progress = silent,
) -> Reconstruction:
    """Reconstruct the place from photographs; the model is left in `sfm_dir`/sparse/0, too.

    It may be interrupted at any time: features and matches found so far are kept in `sfm_dir`/database.db,
    and a finished model is not made again. Other images or options start afresh.
    """
    images_dir, sfm_dir, options = Path(images_dir), Path(sfm_dir), options or SfmOptions()
    if len(names) < MIN_IMAGES:
        raise RelocError(
            f"'{images_dir}' holds {len(names)} images; a map needs {MIN_IMAGES} at the very least"
        )
    _start_or_resume(images_dir, names, sfm_dir, options)
    database, sparse = sfm_dir / "database.db", sfm_dir / "sparse"
    if not sparse.exists():
        _silence_colmap()
        _extract(images_dir, names, database, options, progress)
        _match(database, len(names), options, progress)
        _map(images_dir, len(names), sparse, database, options, progress)
    pieces = int((sparse / "pieces.txt").read_text())
    return Reconstruction(read_colmap(sparse / "0"), images=len(names), models=pieces)


def _start_or_resume(images_dir: Path, names: Sequence[str], sfm_dir: Path, options: SfmOptions) -> None:
    stats = [(images_dir / name).stat() for name in names]
    images = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in zip(names, stats, strict=True)]
    made_from = fingerprint({"images": images, "options": options})
    note = sfm_dir / "made_from.txt"
    if note.is_file() and note.read_text() == made_from:
        return
    if sfm_dir.exists():
        shutil.rmtree(sfm_dir)
    sfm_dir.mkdir(parents=True)
    with atomic_path(note) as temporary:
        temporary.write_text(made_from)


def _silence_colmap() -> None:
    """COLMAP logs each image to stderr, through the progress bar."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR)


def _extract(
    images_dir: Path, names: Sequence[str], database: Path, options: SfmOptions, progress: Progress
) -> None:
    import pycolmap

    with closing(pycolmap.Database.open(str(database))) as opened:
        camera_ids = {(camera.width, camera.height): camera.camera_id for camera in opened.read_all_cameras()}
        done = {image.name for image in opened.read_all_images()}
    by_size: dict[tuple[int, int], list[str]] = {}
    for index, name in enumerate(names):
        progress("read images", index + 1, len(names))
        if name not in done:
            height, width = read_photo(images_dir / name).shape[:2]
            _check_known_camera(images_dir / name, width, height, options.camera)
            by_size.setdefault((width, height), []).append(name)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.max_image_size = options.max_image_size
    extraction.sift.max_num_features = options.max_features
    with _watch(database, _count_images, len(names), "extract features", progress):
        for size, group in by_size.items():
            pycolmap.extract_features(
                str(database),
                str(images_dir),
                image_names=group,
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=_reader_options(options, camera_ids.get(size)),
                extraction_options=extraction,
                device=pycolmap.Device.cpu,
            )


def _check_known_camera(file: Path, width: int, height: int, camera: Camera | None) -> None:
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise RelocError(
            f"image '{file}' is {width}x{height}, the given camera takes {camera.width}x{camera.height}"
        )


def _reader_options(options: SfmOptions, existing_camera_id: int | None):
    import pycolmap

    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = options.camera_model
    if options.camera is not None:
        reader.camera_model, params = colmap_from_camera(options.camera)
        reader.camera_params = ",".join(map(repr, params))
    if existing_camera_id is not None:  # the run was interrupted after its first image
        reader.existing_camera_id = existing_camera_id
    return reader


def _match(database: Path, images: int, options: SfmOptions, progress: Progress) -> None:
    import pycolmap

    if options.matching == "sequential":
        pairing = pycolmap.SequentialPairingOptions()
        pairing.overlap, pairing.quadratic_overlap = 10, True
        near, far = range(1, 11), {2**k for k in range(10)}
        pairs = sum(max(0, images - step) for step in far.union(near))
        with _watch(database, _count_pairs, pairs, "match images", progress):
            pycolmap.match_sequential(str(database), pairing_options=pairing, device=pycolmap.Device.cpu)
        return
    pairing = pycolmap.ExhaustivePairingOptions()
    pairing.block_size = 10  # a block is what an interruption costs
    with _watch(database, _count_pairs, images * (images - 1) // 2, "match images", progress):
        pycolmap.match_exhaustive(str(database), pairing_options=pairing, device=pycolmap.Device.cpu)


def _map(
    images_dir: Path, images: int, sparse: Path, database: Path, options: SfmOptions, progress: Progress
) -> None:
    import pycolmap

    registered = 0

    def count_image() -> None:
        nonlocal registered
        registered += 1
        progress("reconstruct", min(registered, images), images)

    with tempfile.TemporaryDirectory(dir=sparse.parent) as scratch:
        models = pycolmap.incremental_mapping(
            str(database),
            str(images_dir),
            scratch,
            options=_pipeline_options(options.camera is not None),
            next_image_callback=count_image,
        )
    progress("reconstruct", images, images)
    if not models:
        raise RelocError(
            f"no two of the {images} images in '{images_dir}' could be placed against each other; take them with "
            "more overlap, more texture in view, and the camera moving sideways, not only turning"
        )
    largest = max(models.values(), key=lambda model: model.num_reg_images())
    count = largest.num_reg_images()
    if count < max(MIN_IMAGES, MIN_REGISTERED_SHARE * images):
        raise RelocError(
            f"only {count} of the {images} images in '{images_dir}' could be placed in one model; "
            "take them with more overlap between neighbours"
        )
    with atomic_path(sparse) as temporary:
        (temporary / "0").mkdir(parents=True)
        largest.write_binary(str(temporary / "0"))
        (temporary / "pieces.txt").write_text(str(len(models)))


def _pipeline_options(camera_is_known: bool):
    import pycolmap

    pipeline = pycolmap.IncrementalPipelineOptions()
    pipeline.min_model_size = MIN_IMAGES
    pipeline.random_seed = 0
    if camera_is_known:
        pipeline.ba_refine_focal_length = pipeline.ba_refine_extra_params = False
        pipeline.mapper.abs_pose_refine_focal_length = pipeline.mapper.abs_pose_refine_extra_params = False
    return pipeline


def _count_images(opened: Any) -> int:
    return opened.num_images()


def _count_pairs(opened: Any) -> int:
    return opened.num_matched_image_pairs()


@contextmanager
def _watch(
    database: Path, count: Callable[[Any], int], total: int, phase: str, progress: Progress
) -> Iterator[None]:
    """Report what is in the database while pycolmap, which has no callback for these phases, fills it.

    Read through pycolmap: Python's sqlite3 is another copy of SQLite, and two copies in one process break
    each other's locks on a file (sqlite.org/howtocorrupt.html, 2.2.1), which ends in a bus error.
    """
    import pycolmap

    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(_WATCH_PERIOD_S):
            progress(phase, min(count(opened), total), total)

    progress(phase, 0, total)
    with closing(pycolmap.Database.open(str(database))) as opened:
        thread = threading.Thread(target=watch, name=phase, daemon=True)
        thread.start()
        try:
            yield
        finally:
            finished.set()
            thread.join()
    progress(phase, total, total)
