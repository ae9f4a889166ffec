"""`segment_tiled` of both clients over gRPC: what is sent, how much at once, what a failure leaves."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from fovea_client import AsyncClient, Client, InvalidRequestError, ServerError
from grpc import StatusCode

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def land(tmp_path: Path) -> tuple[Path, np.ndarray]:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 500, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "land.png"), pixels[..., ::-1])
    return tmp_path / "land.png", pixels[..., 0]


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def asked(server) -> int:
    return server.calls.count("ModelInfer")


def test_both_clients_write_the_same_mask(server, client: Client, land, tmp_path: Path) -> None:
    picture, red = land
    steps: list[tuple[int, int]] = []
    options = {"task": "vessels", "tile_px": 128, "overlap_px": 32}
    found = client.segment_tiled(picture, tmp_path / "a.tif", **options, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), red > 127)
    assert found.tiles == asked(server) == len(steps) == steps[-1][1]

    async def ask() -> None:
        async with AsyncClient(server.address) as other:
            sure = tmp_path / "sure.tif"
            await other.segment_tiled(picture, tmp_path / "b.tif", **options, probability=sure, in_flight=2)

    asyncio.run(ask())
    np.testing.assert_array_equal(read(tmp_path / "b.tif"), red > 127)
    np.testing.assert_array_equal(read(tmp_path / "sure.tif"), red)


def test_the_server_says_how_large_a_tile_is(server, client: Client, land, tmp_path: Path) -> None:
    server.parameters["size_px"] = "256"
    client.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels", overlap_px=0)
    sizes = {cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape for data in server.payloads}
    assert sizes == {(256, 256, 3)}


def test_a_jpeg_that_fits_is_sent_as_it_is(server, client: Client, land, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "land.jpg"), cv2.imread(str(land[0])))
    client.segment_tiled(tmp_path / "land.jpg", tmp_path / "mask.tif", task="vessels")
    assert server.payloads == [(tmp_path / "land.jpg").read_bytes()]
    np.testing.assert_array_equal(read(tmp_path / "mask.tif"), client.segment(tmp_path / "land.jpg").mask)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_so_many_tiles_at_once_and_no_more(server, client: Client, land, tmp_path: Path, in_flight: int) -> None:
    enter, lock, now, most = server._enter, threading.Lock(), [0], [0]

    def counted(method: str, context, model: str = "vessels") -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        enter(method, context, model)
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    server._enter = counted
    client.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels", tile_px=128, in_flight=in_flight)
    assert most[0] == in_flight


def test_a_tile_that_fails_ends_it_for_both(server, client: Client, land, tmp_path: Path) -> None:
    server.faults["ModelInfer"] = (StatusCode.INTERNAL, "out of memory")
    with pytest.raises(ServerError, match=r"no answer to the tile at rows 0 to 127, columns 0 to 127.*out of memory"):
        client.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels", tile_px=128)

    async def ask() -> None:
        async with AsyncClient(server.address) as other:
            await other.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels", tile_px=128)

    with pytest.raises(ServerError, match="no answer to the tile"):
        asyncio.run(ask())
    assert asked(server) < 2 * 28, "the others were not all sent"
    assert {path.name for path in tmp_path.iterdir()} == {"land.png"}


def test_a_cancelled_task_leaves_nothing(server, land, tmp_path: Path) -> None:
    server.delays_s["ModelInfer"] = 0.05

    async def ask() -> None:
        async with AsyncClient(server.address) as other:
            work = asyncio.create_task(
                other.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels", tile_px=64, in_flight=2)
            )
            while asked(server) < 10:
                await asyncio.sleep(0.01)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    asyncio.run(ask())
    assert {path.name for path in tmp_path.iterdir()} == {"land.png"}


def test_a_task_of_labels_is_refused_before_anything_is_sent(server, client: Client, land, tmp_path: Path) -> None:
    server.parameters["kind"] = "classification"
    with pytest.raises(InvalidRequestError, match=r"^model 'vessels' answers with a label"):
        client.segment_tiled(land[0], tmp_path / "mask.tif", task="vessels")
    assert asked(server) == 0


def test_without_rasterio_it_is_one_sentence_and_the_rest_works(server, land) -> None:
    cv2.imwrite(str(land[0]), np.zeros((50, 60), np.uint8))
    code = f"""
import sys
sys.modules["rasterio"] = None
from pathlib import Path
from fovea_client import Client, FoveaError
with Client({server.address!r}) as client:
    print(client.segment(Path({str(land[0])!r})).mask.shape)
    try:
        client.segment_tiled(Path({str(land[0])!r}), Path("mask.tif"), task="vessels")
    except FoveaError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "(50, 60)"
    assert "pip install 'fovea-client[geo]'" in done.stdout.splitlines()[1]
