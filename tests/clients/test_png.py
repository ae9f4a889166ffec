from io import BytesIO

import cv2
import numpy as np
import pytest
from fovea_client import encode_png
from PIL import Image

SHAPES = [(1, 1), (1, 9), (9, 1), (31, 17), (1, 9, 3), (9, 1, 3), (31, 17, 3), (300, 401, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_other_decoders_read_back_every_pixel(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    data = encode_png(image)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(data))), image)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded if image.ndim == 2 else decoded[..., ::-1], image)


def test_views_that_are_not_contiguous_are_written_as_they_look() -> None:
    image = np.arange(240, dtype=np.uint8).reshape(8, 10, 3)[::2, ::-1, ::-1]
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(encode_png(image)))), image)


def test_a_mask_becomes_small() -> None:
    mask = np.zeros((1000, 1000), np.uint8)
    mask[200:800, 300:310] = 255
    assert len(encode_png(mask)) < mask.size / 100


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((4, 4), np.float32)],
)
def test_what_png_cannot_hold_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8, HxW or HxWx3"):
        encode_png(image)
