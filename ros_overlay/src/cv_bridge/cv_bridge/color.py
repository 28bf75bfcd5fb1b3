"""Conversions between ROS's colour encodings."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Color:
    """What a colour encoding's pixels are."""

    kind: str
    """OpenCV's word for the order of the channels."""
    channels: int
    bits: int


def _colors() -> dict[str, Color]:
    colors = {}
    for bits in (8, 16):
        colors[f"mono{bits}"] = Color("GRAY", 1, bits)
        for name, kind, channels in (
            ("bgr", "BGR", 3),
            ("rgb", "RGB", 3),
            ("bgra", "BGRA", 4),
            ("rgba", "RGBA", 4),
        ):
            colors[f"{name}{bits}"] = Color(kind, channels, bits)
        # ROS names a Bayer pattern by its first row, OpenCV by its second.
        for name, kind in (
            ("rggb", "BayerBG"),
            ("bggr", "BayerRG"),
            ("gbrg", "BayerGR"),
            ("grbg", "BayerGB"),
        ):
            colors[f"bayer_{name}{bits}"] = Color(kind, 1, bits)
    colors["yuv422"] = Color("UYVY", 2, 8)
    colors["yuv422_yuy2"] = Color("YUY2", 2, 8)
    return colors


COLORS = _colors()


def recolored(image: NDArray, encoding: str, desired: str) -> NDArray:
    """The image with the channels of another colour encoding, at its own depth.

    Raises:
        LookupError: there is no such conversion.
    """
    source, target = COLORS[encoding].kind, COLORS[desired].kind
    if source == target and not source.startswith(("Bayer", "YUY2")):
        return image
    name = f"COLOR_YUV2{target}_{source}" if source in ("UYVY", "YUY2") else f"COLOR_{source}2{target}"
    if target in ("UYVY", "YUY2") or target.startswith("Bayer") or not hasattr(cv2, name):
        raise LookupError(f"Unsupported conversion from [{encoding}] to [{desired}]")
    return cv2.cvtColor(image, getattr(cv2, name))


def rescaled(image: NDArray, dtype: np.dtype) -> NDArray:
    """The image at another depth; between 8 and 16 bit unsigned, full scale stays full scale."""
    if image.dtype == dtype:
        return image
    limits = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
    if image.dtype in limits and dtype in limits:
        image = np.rint(image * (limits[dtype] / limits[image.dtype]))
    elif dtype.kind in "iu":  # as OpenCV does it: to the nearest, and no overflow
        image = np.clip(np.rint(image), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return image.astype(dtype)
