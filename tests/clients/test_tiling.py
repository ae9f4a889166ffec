"""The tiles' geometry and the joining of their answers, on arrays alone."""

import numpy as np
import pytest
from fovea_client import InvalidRequestError
from fovea_client.tiled.blending import Blender
from fovea_client.tiled.grid import Axis, Grid, plan_grid

SIZES = [(64, 64), (511, 512), (512, 512), (513, 1025), (700, 2000), (1, 5000), (1536, 1537)]
TILINGS = [(512, None), (512, 128), (512, 0), (1000, 100), (64, 16), (100, 30), (333, 61)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_tiling = pytest.mark.parametrize("tiling", TILINGS, ids=str)


def join(grid: Grid, classes: int, mask: np.ndarray, probability: np.ndarray, lie=None) -> tuple[np.ndarray, ...]:
    """What is joined from tiles that each say what is there, but for what `lie` makes of it."""
    blender, shape = Blender(grid, classes), mask.shape
    joined = np.full(shape, 77, np.uint8), np.full(shape, 77, np.uint8)
    for row, column in grid:
        area = slice(*grid.rows.tile(row)), slice(*grid.columns.tile(column))
        planes = mask[area].copy(), probability[area].copy()
        cell = slice(*grid.rows.cell(row)), slice(*grid.columns.cell(column))
        for target, plane in zip(joined, blender.add(row, column, *(lie(*planes) if lie else planes)), strict=True):
            assert (target[cell] == 77).all(), "written twice"
            target[cell] = plane
    assert blender.held_bytes == 0
    return joined


def drawn(size: tuple[int, int], classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    probability = generator.integers(0, 256, size, dtype=np.uint8)
    if classes == 2:
        return np.uint8(probability >= 128), probability
    return generator.integers(0, classes, size, dtype=np.uint8), np.maximum(probability, 60)


@every_size
@every_tiling
def test_tiles_cover_the_picture_and_weights_sum_to_one(size: tuple[int, int], tiling: tuple[int, int | None]) -> None:
    grid = plan_grid(*size, tile_px=tiling[0], overlap_px=tiling[1])
    for axis, length_px in zip((grid.rows, grid.columns), size, strict=True):
        total = np.zeros(length_px)
        tiles = [axis.tile(index) for index in range(axis.count)]
        cells = [axis.cell(index) for index in range(axis.count)]
        for index, (start, stop) in enumerate(tiles):
            full = tiling[0] if axis.count > 1 else length_px
            assert stop - start + axis.missing_px(index) == full, "every tile has the same scale for the network"
            assert start == index * axis.stride_px, "no tile is moved against the others"
            assert start <= cells[index][0] < cells[index][1] <= stop, "a tile says all of its cell"
            total[start:stop] += axis.weight(index)
            if index:
                assert tiles[index - 1][1] - start >= (tiling[1] or 0), "less overlap than was asked for"
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert [0, *(stop for _, stop in cells)] == [*(start for start, _ in cells), length_px]
        assert all(start % grid.block_px == 0 for start, _ in cells), "a block would be written twice"


@every_size
def test_a_picture_that_fits_is_one_tile(size: tuple[int, int]) -> None:
    grid = plan_grid(*size, tile_px=max(64, *size))
    assert list(grid) == [(0, 0)]
    assert (grid.rows.tile(0), grid.columns.tile(0)) == ((0, size[0]), (0, size[1]))


@pytest.mark.parametrize("classes", [2, 5])
@every_tiling
def test_tiles_that_agree_are_joined_to_the_bit(tiling: tuple[int, int | None], classes: int) -> None:
    mask, probability = drawn((700, 1300), classes)
    joined = join(plan_grid(700, 1300, tile_px=tiling[0], overlap_px=tiling[1]), classes, mask, probability)
    np.testing.assert_array_equal(joined[0], mask)
    np.testing.assert_array_equal(joined[1], probability)


@pytest.mark.parametrize("classes", [2, 5])
def test_what_a_tile_says_of_its_edge_does_not_count(classes: int) -> None:
    """A network sees nothing beyond a tile: what it says next to its edge is a guess."""
    mask, probability = drawn((1000, 1400), classes)
    band = 60

    def lie(own_mask: np.ndarray, own_probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for plane, value in ((own_mask, 1), (own_probability, 255)):
            plane[:band], plane[-band:], plane[:, :band], plane[:, -band:] = value, value, value, value
        return own_mask, own_probability

    grid = plan_grid(1000, 1400, tile_px=512)
    joined, _ = join(grid, classes, mask, probability, lie)
    inner = (slice(band, -band),) * 2
    np.testing.assert_array_equal(joined[inner], mask[inner])
    assert (joined != mask).any(), "at the picture's own edge there is no other answer"


def test_two_classes_pass_from_tile_to_tile_without_a_step() -> None:
    """The left tile says 0.2, the right one 0.8: between them the average rises, and the mask turns where it is 0.5."""
    grid = plan_grid(64, 128 + 64, tile_px=128, overlap_px=64)
    blender, said = Blender(grid, 2), iter((51, 204))
    cells = [
        blender.add(
            row, column, np.full((64, 128), probability > 127, np.uint8), np.full((64, 128), probability, np.uint8)
        )
        for (row, column), probability in zip(grid, said, strict=True)
    ]
    mask, probability = (np.hstack(planes)[0].astype(int) for planes in zip(*cells, strict=True))
    assert (probability[0], probability[-1]) == (51, 204)
    assert np.diff(probability).min() >= 0
    assert np.diff(probability).max() <= 6
    np.testing.assert_array_equal(mask, probability >= 128)
    assert mask.sum() == 96


def test_more_classes_are_voted_for_by_weight_and_probability() -> None:
    grid = plan_grid(64, 192, tile_px=128, overlap_px=64)
    blender = Blender(grid, 4)
    blender.add(0, 0, np.full((64, 128), 3, np.uint8), np.full((64, 128), 240, np.uint8))
    mask, probability = blender.add(0, 1, np.full((64, 128), 1, np.uint8), np.full((64, 128), 80, np.uint8))
    # The sure tile keeps more than half of the 64 pixels, until three quarters of the weight are the other's.
    assert 32 < (mask[0, :64] == 3).sum() < 56
    assert (mask[0, 64:] == 1).all()
    assert 55 <= probability[0].min() <= 65, "where tiles disagree the winner's votes are its probability"


def test_memory_is_one_row_of_overlaps() -> None:
    grid = plan_grid(4096, 2048, tile_px=256, overlap_px=64)
    blender, most = Blender(grid, 2), 0
    plane = np.zeros((256, 256), np.uint8)
    for row, column in grid:
        blender.add(row, column, plane, plane)
        most = max(most, blender.held_bytes)
    overlap_px = 256 - grid.rows.stride_px
    row_of_overlaps = 2 * overlap_px * 256 * grid.columns.count
    assert row_of_overlaps <= most <= row_of_overlaps + 3 * 2 * 256 * 256
    assert most < 4096 * 2048 / 10


@pytest.mark.parametrize(
    ("tile_px", "overlap_px", "said"), [(63, 0, "at least 64"), (512, 257, "0 to 256"), (512, -1, "0 to 256")]
)
def test_tilings_that_cannot_be_are_one_sentence(tile_px: int, overlap_px: int, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        plan_grid(1000, 1000, tile_px=tile_px, overlap_px=overlap_px)


def test_an_axis_of_many_tiles_meets_at_most_two() -> None:
    axis = Axis(10_000, 512, 256)
    covered = np.zeros(10_000, int)
    for index in range(axis.count):
        start, stop = axis.tile(index)
        covered[start:stop] += axis.weight(index) > 0
    assert covered.max() == 2
