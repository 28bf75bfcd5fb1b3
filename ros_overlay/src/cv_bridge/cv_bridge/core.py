import re
import sys

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge.color import COLORS, recolored, rescaled

_DEPTHS = {
    "8U": np.uint8,
    "8S": np.int8,
    "16U": np.uint16,
    "16S": np.int16,
    "32S": np.int32,
    "32F": np.float32,
    "64F": np.float64,
}
_DEPTH_NAMES = {np.dtype(dtype).name: name for name, dtype in _DEPTHS.items()}


class CvBridgeError(TypeError):
    """A conversion is not possible."""


class CvBridge:
    """Images from ROS messages to OpenCV arrays and back."""

    def dtype_with_channels_to_cvtype2(self, dtype: np.dtype, n_channels: int) -> str:
        return f"{_DEPTH_NAMES[dtype.name]}C{n_channels}"

    def encoding_to_cvtype2(self, encoding: str) -> int:
        """OpenCV's type number, as in cv2.CV_8UC3."""
        dtype, channels = self.encoding_to_dtype_with_channels(encoding)
        return getattr(cv2, f"CV_{_DEPTH_NAMES[dtype]}C{channels}")

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        if encoding in COLORS:
            color = COLORS[encoding]
            return f"uint{color.bits}", color.channels
        match = re.fullmatch(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([1-4]))?", encoding)
        if match is None:
            raise CvBridgeError(f"Unrecognized image encoding [{encoding}]")
        return np.dtype(_DEPTHS[match[1]]).name, int(match[2] or 1)

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> NDArray:
        """The image (H, W) or (H, W, channels), in another encoding if one is named."""
        name, channels = self.encoding_to_dtype_with_channels(img_msg.encoding)
        dtype = np.dtype(name).newbyteorder(">" if img_msg.is_bigendian else "<")
        row_items = img_msg.step // dtype.itemsize // channels
        rows = np.ndarray((img_msg.height, row_items, channels), dtype, buffer=img_msg.data)
        image = rows[:, : img_msg.width, 0] if channels == 1 else rows[:, : img_msg.width]
        image = np.ascontiguousarray(image.astype(name, copy=False))
        if desired_encoding == "passthrough":
            return image
        return self._converted(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: NDArray, encoding: str = "passthrough", header: Header | None = None
    ) -> Image:
        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        cv_type = self.dtype_with_channels_to_cvtype2(cvim.dtype, 1 if cvim.ndim < 3 else cvim.shape[2])
        message = Image(height=cvim.shape[0], width=cvim.shape[1])
        if header is not None:
            message.header = header
        message.encoding = cv_type if encoding == "passthrough" else encoding
        if encoding != "passthrough" and self.encoding_to_cvtype2(encoding) != getattr(cv2, f"CV_{cv_type}"):
            raise CvBridgeError(
                f"encoding specified as {encoding}, but image has incompatible type {cv_type}"
            )
        # numpy writes the machine's own order as "=".
        big = cvim.dtype.byteorder == ">" or (cvim.dtype.byteorder == "=" and sys.byteorder == "big")
        message.is_bigendian = int(big)
        message.data.frombytes(cvim.tobytes())
        message.step = len(message.data) // message.height
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> NDArray | None:
        """The decoded image, or None (as the genuine one says it) where it cannot be decoded."""
        image = cv2.imdecode(np.frombuffer(cmprs_img_msg.data, np.uint8), cv2.IMREAD_UNCHANGED)
        if desired_encoding == "passthrough":
            return image
        return self._converted(image, "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(self, cvim: NDArray, dst_format: str = "jpg") -> CompressedImage:
        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        message = CompressedImage(format=dst_format)
        message.data.frombytes(cv2.imencode(f".{dst_format}", cvim)[1].tobytes())
        return message

    def _converted(self, image: NDArray, encoding: str, desired: str) -> NDArray:
        if encoding == desired:
            return image
        name, channels = self.encoding_to_dtype_with_channels(desired)
        if encoding in COLORS and desired in COLORS:
            try:
                image = recolored(image, encoding, desired)
            except LookupError as error:
                raise CvBridgeError(str(error)) from error
        elif desired in COLORS:
            raise CvBridgeError(
                f"[{encoding}] is not a color format. but [{desired}] is. The conversion does not make sense"
            )
        elif channels != (1 if image.ndim < 3 else image.shape[2]):
            raise CvBridgeError(f"[{encoding}] and [{desired}] do not have the same number of channel")
        return rescaled(image, np.dtype(name))
