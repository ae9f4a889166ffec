"""Where a fundus photograph shows the retina: the camera's lit disc on a black frame."""

import cv2
import numpy as np
import numpy.typing as npt

# The disc is a large, smooth shape: a small picture finds it as well, and in a millisecond.
_WORKING_SIDE_PX = 384
# Black frames have noise and JPEG ringing; the retina's darkest rim is still brighter than this share of its bulk.
_RIM_SHARE = 0.22
_BLACKEST_RETINA = 8.0
# A smaller lit region is no camera's disc: a dark or foreign picture. Then no part of it may be thrown away.
_SMALLEST_SHARE = 0.2


def field_of_view(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which pixels show the retina.

    The brightest channel is thresholded at a share of the picture's bright level; the largest connected region's
    convex hull is the answer, because every camera's aperture, also a truncated one, is convex.

    Args:
        image: uint8 (height, width, 3), RGB.

    Returns:
        bool (height, width). All true where no disc stands out from a dark frame.
    """
    height_px, width_px = image.shape[:2]
    scale = _WORKING_SIDE_PX / max(height_px, width_px, _WORKING_SIDE_PX)
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    hull = _hull_of_largest(_lit(np.asarray(small)))
    if hull is None:
        return np.ones((height_px, width_px), dtype=np.bool_)
    # Corners are moved from the small picture's pixel centres to the large one's.
    corners = (hull.astype(np.float64) + 0.5) * (width_px / size[0], height_px / size[1]) - 0.5
    canvas = np.zeros((height_px, width_px), dtype=np.uint8)
    cv2.fillConvexPoly(canvas, np.rint(corners).astype(np.int32), (1,))
    return canvas.astype(np.bool_)


def _lit(small: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    brightness = np.asarray(cv2.GaussianBlur(small.max(axis=2), (5, 5), 0))
    # Every fourth pixel estimates a percentile as well.
    level = max(_BLACKEST_RETINA, _RIM_SHARE * float(np.percentile(brightness[::2, ::2], 75)))
    return np.asarray(brightness > level, dtype=np.uint8)


def _hull_of_largest(lit: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32] | None:
    contours, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    if cv2.contourArea(hull) < _SMALLEST_SHARE * lit.size:
        return None
    return np.asarray(hull[:, 0, :], dtype=np.int32)
