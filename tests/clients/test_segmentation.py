"""What a segmentation can do with its mask, and what it says of the server."""

import numpy as np
import pytest
from fovea_client import ClassInfo, Client, InvalidImageError, Segmentation, ServerError, ServerTimings

MASK = np.array([[0, 1, 2], [1, 1, 0]], np.uint8)
CLASSES = (ClassInfo(0, "land", (9, 9, 9)), ClassInfo(1, "water", (0, 0, 250)), ClassInfo(2, "road", (100, 200, 50)))


@pytest.fixture
def segmented() -> Segmentation:
    return Segmentation(MASK, MASK, "land_cover", "1", CLASSES, 1.0)


def test_areas_are_by_name_and_add_up(segmented: Segmentation) -> None:
    assert segmented.area_px() == {"land": 2, "water": 3, "road": 1}
    assert segmented.area() == pytest.approx({"land": 2 / 6, "water": 3 / 6, "road": 1 / 6})


def test_a_class_that_is_nowhere_has_no_area() -> None:
    empty = Segmentation(np.zeros((2, 2), np.uint8), MASK, "t", "1", CLASSES, 1.0)
    assert empty.area_px() == {"land": 4, "water": 0, "road": 0}


def test_an_overlay_tints_all_but_the_background(segmented: Segmentation) -> None:
    image = np.full((2, 3, 3), 100, np.uint8)
    tinted = segmented.overlay(image, opacity=0.5)
    np.testing.assert_array_equal(tinted[0], [[100, 100, 100], [50, 50, 175], [100, 150, 75]])
    assert image.min() == image.max() == 100
    np.testing.assert_array_equal(segmented.overlay(image[..., 0], opacity=0.5), tinted)
    np.testing.assert_array_equal(segmented.overlay(image, opacity=0), image)
    np.testing.assert_array_equal(segmented.overlay(image, opacity=1)[0, 1], [0, 0, 250])


@pytest.mark.parametrize(
    ("image", "opacity", "message"),
    [
        (np.zeros((3, 2, 3), np.uint8), 0.5, r"shape \(3, 2, 3\): pass the segmented image, uint8 of \(2, 3\)"),
        (np.zeros((2, 3, 4), np.uint8), 0.5, r"shape \(2, 3, 4\)"),
        (np.zeros((2, 3), np.float32), 0.5, "float32"),
        (np.zeros((2, 3), np.uint8), 1.5, r"opacity is 1\.5"),
    ],
)
def test_another_image_is_refused(segmented: Segmentation, image: np.ndarray, opacity: float, message: str) -> None:
    with pytest.raises(InvalidImageError, match=message):
        segmented.overlay(image, opacity=opacity)


def test_a_server_that_measures_itself_is_quoted(server, client: Client, picture: np.ndarray) -> None:
    assert client.segment(picture).server is None
    server.replaced_outputs = {"server_us": np.array([1500, 20_000, 250], np.int64)}
    assert client.segment(picture).server == ServerTimings(1.5, 20.0, 0.25)


def test_times_of_another_form_are_the_servers_error(server, client: Client, picture: np.ndarray) -> None:
    server.replaced_outputs = {"server_us": np.array([1500], np.int32)}
    with pytest.raises(ServerError, match=r"'server_us' is int32 of shape \(1,\), expected int64 \(3,\)"):
        client.segment(picture)


def test_a_class_that_was_not_described_is_an_error_and_asked_for_anew(server, client: Client) -> None:
    picture = np.zeros((4, 5), np.uint8)
    client.segment(picture)
    server.replaced_outputs["mask"] = np.full((4, 5), 9, np.uint8)
    with pytest.raises(ServerError, match="the mask holds class 9, 2 classes were described"):
        client.segment(picture)
    server.replaced_outputs.clear()
    client.segment(picture)
    assert server.calls.count("ModelConfig") == 2
