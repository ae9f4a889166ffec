"""`fit` and `unfit` are each other's inverse: to the bit where nothing is scaled, to the pixel's centre elsewhere."""

import numpy as np
import pytest

from tasks.errors import ShapeError
from tasks.imaging import Geometry, fit, square_around, unfit


def test_square_around_is_the_smallest_that_holds_the_region() -> None:
    region = np.zeros((100, 200), np.bool_)
    region[20:60, 50:150] = True
    assert square_around(region) == Geometry(100, 200, -10, 50, 100)


def test_empty_region_means_the_whole_picture() -> None:
    assert square_around(np.zeros((30, 50), np.bool_)) == Geometry(30, 50, -10, 0, 50)


@pytest.mark.parametrize(("height_px", "width_px"), [(64, 64), (64, 40), (33, 64), (61, 64)])
def test_unscaled_round_trip_is_exact(height_px: int, width_px: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (height_px, width_px), dtype=np.uint8)
    geometry = square_around(np.ones(picture.shape, np.bool_))
    assert np.array_equal(unfit(fit(picture, geometry, 64), geometry), picture)


@pytest.mark.parametrize("side_px", [97, 128, 200, 333, 960])
def test_scaled_round_trip_keeps_positions(side_px: int) -> None:
    """A ramp would come back shifted if pixel corners and centres were mixed up."""
    ramp = np.tile(np.linspace(0, 255, side_px).astype(np.uint8), (side_px, 1))
    geometry = square_around(np.ones(ramp.shape, np.bool_))
    inner = slice(side_px // 10, -(side_px // 10))
    difference = unfit(fit(ramp, geometry, 128), geometry).astype(int) - ramp
    assert abs(difference[:, inner].mean()) < 0.6
    assert np.abs(difference[:, inner]).max() <= 3
    turned = unfit(fit(np.ascontiguousarray(ramp.T), geometry, 128), geometry).astype(int) - ramp.T
    assert abs(turned[inner].mean()) < 0.6


def test_outside_the_square_is_zero() -> None:
    geometry = Geometry(50, 80, 10, 20, 30)
    picture = unfit(np.full((16, 16), 9, np.uint8), geometry)
    assert picture[10:40, 20:50].min() == 9
    picture[10:40, 20:50] = 0
    assert not picture.any()


@pytest.mark.parametrize("geometry", [Geometry(20, 20, -30, -30, 10), Geometry(20, 20, 40, 5, 10)])
def test_square_beside_the_picture_gives_nothing(geometry: Geometry) -> None:
    assert not fit(np.full((20, 20), 7, np.uint8), geometry, 8).any()
    assert not unfit(np.full((8, 8), 7, np.uint8), geometry).any()


def test_geometry_survives_its_array() -> None:
    geometry = Geometry(100, 200, -10, 50, 100)
    assert Geometry.from_array(geometry.to_array()) == geometry


@pytest.mark.parametrize("array", [[1, 2, 3], [0, 10, 0, 0, 5], [10, 10, 0, 0, -1]])
def test_impossible_geometry_is_refused(array: list[int]) -> None:
    with pytest.raises(ShapeError, match="five integers"):
        Geometry.from_array(np.array(array))


def test_geometry_of_another_picture_is_refused() -> None:
    with pytest.raises(ShapeError, match="geometry is for"):
        fit(np.zeros((10, 10), np.uint8), Geometry(20, 20, 0, 0, 20), 8)


def test_plane_that_is_not_square_is_refused() -> None:
    with pytest.raises(ShapeError, match="square"):
        unfit(np.zeros((4, 5), np.uint8), Geometry(20, 20, 0, 0, 20))
