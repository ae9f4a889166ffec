"""What the server answers is what training's evaluation got, in every profile, and a bad request stays alone."""

import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from doors import Launched, Release, Stages
from fovea_client import Client, FoveaError, InvalidImageError, ModelNotFoundError
from fovea_client.errors import InvalidRequestError
from PIL import Image
from rich.console import Console
from tritonclient import grpc

from pipelines.infer import FIGURES, infer
from tasks import TASKS, Kind, TaskSpec, get_task
from tasks.checksums import verify_checksums
from tasks.held_out import HeldOut, read_held_out
from tasks.metrics import dice
from tasks.processing import Classification, Prediction
from training.evaluation import predict
from training.serving_module import ServingModule
from training.sources import read_samples
from training.weights import load_serving_module

pytestmark = pytest.mark.slow
CHASE_DB1 = Path(__file__).parents[3] / "shared" / "data" / "chase_db1"
VESSELS = get_task("vessels")


@pytest.fixture
def client(served: Launched) -> Iterator[Client]:
    with Client(served.grpc, timeout_s=30) as connected:
        yield connected


@pytest.fixture(scope="module")
def offline(stages: Stages) -> ServingModule:
    return load_serving_module(stages.model)[0]


def encode(pixels: np.ndarray, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format, **options)
    return buffer.getvalue()


def held_out(stages: Stages) -> list[HeldOut]:
    return read_held_out(stages.model, VESSELS)


def assert_equal(client: Client, offline: ServingModule, data: bytes, task: TaskSpec = VESSELS) -> None:
    """Byte for byte but for rounding: FP32 in another order moves a probability by at most one level of 255."""
    answer, expected = client.segment(data, task=task.name), predict(offline, data, task)
    assert isinstance(expected, Prediction)
    assert answer.probability.shape == expected.probability.shape
    difference = np.abs(answer.probability.astype(int) - expected.probability)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    assert (answer.mask != expected.mask).mean() < 1e-4


def test_served_dice_equals_the_evaluations(client: Client, stages: Stages) -> None:
    evaluation = json.loads((stages.model / "evaluation.json").read_text())["per_image"]
    for picture in held_out(stages):
        answer = client.segment(picture.image)
        inside = picture.judged
        found = dice(answer.mask[inside] > 0, picture.truth[inside] > 0)
        assert found == pytest.approx(evaluation[picture.name]["dice"], abs=0.001)
        assert found > 0.05, "masks that are empty on both sides would agree about nothing"


def test_served_output_equals_offline_output(client: Client, stages: Stages, offline: ServingModule) -> None:
    for picture in held_out(stages):
        assert_equal(client, offline, picture.image.read_bytes())


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_served_as_offline(client: Client, release: Release, name: str) -> None:
    task, offline = TASKS[name], load_serving_module(release.models[name])[0]
    pictures = read_held_out(release.models[name], task)
    assert pictures
    for picture in pictures:
        data = picture.image.read_bytes()
        if task.kind is not Kind.CLASSIFICATION:
            assert_equal(client, offline, data, task)
            continue
        answer, expected = client.classify(data, task=name), predict(offline, data, task)
        assert isinstance(expected, Classification)
        assert (answer.index, answer.label) == (expected.label, task.classes[expected.label].name)
        assert list(answer.probability) == [info.name for info in task.classes]
        np.testing.assert_allclose(list(answer.probability.values()), expected.probability, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_pipeline_finds_the_offline_figures(served: Launched, release: Release, tmp_path: Path, name: str) -> None:
    task = TASKS[name]
    console = Console(file=io.StringIO(), width=200)
    results = infer(served.grpc, release.models[name], tmp_path, console)
    figure, title = FIGURES[task.kind]
    assert title in console.file.getvalue()  # type: ignore[attr-defined]
    written = json.loads((tmp_path / "served.json").read_text())
    assert len(written) == len(results) == len(read_held_out(release.models[name], task))
    for row in written:
        assert row[f"{figure}_served"] == pytest.approx(row[f"{figure}_offline"], abs=0.001)
        assert (tmp_path / "overlays" / f"{row['name']}_overlay.png").is_file() == (
            task.kind is not Kind.CLASSIFICATION
        )


@pytest.mark.parametrize("name", TASKS)
def test_bad_picture_is_refused_by_every_task(served: Launched, client: Client, name: str) -> None:
    said = raw_infer(served.grpc, name, "image", np.array([b"no picture"], dtype=object), "BYTES")
    assert said.startswith("StatusCode.INVALID_ARGUMENT")
    assert name in said
    assert client.ready()


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.kind is not Kind.BINARY_SEGMENTATION])
def test_full_batches_are_answered_as_lone_requests(client: Client, release: Release, name: str) -> None:
    """Several outputs, or FP32, are cut back into the requests that a batch was made of."""
    task = TASKS[name]
    images = [picture.image.read_bytes() for picture in read_held_out(release.models[name], task)] * 4

    def ask(data: bytes) -> np.ndarray:
        if task.kind is Kind.CLASSIFICATION:
            return np.array(list(client.classify(data, task=name).probability.values()))
        answer = client.segment(data, task=name)
        return np.stack([answer.mask, answer.probability])

    alone = [ask(data) for data in images[: len(images) // 4]] * 4
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, images))
    for first, second in zip(alone, together, strict=True):
        assert first.shape == second.shape
        assert (np.abs(first - second.astype(float)) > 1e-5).mean() < 1e-3


@pytest.mark.skipif(not CHASE_DB1.is_dir(), reason="CHASE_DB1 is not beside the checkout")
def test_served_output_equals_offline_output_on_real_photographs(client: Client, offline: ServingModule) -> None:
    for sample in read_samples(CHASE_DB1, VESSELS)[:4]:
        assert_equal(client, offline, sample.read().encoded)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "GIF", "JPEG"])
@pytest.mark.parametrize("size", [(300, 200), (64, 64), (1100, 1300)])
def test_every_format_and_size_comes_back_at_its_own_size(
    client: Client, stages: Stages, offline: ServingModule, image_format: str, size: tuple[int, int]
) -> None:
    picture = Image.open(held_out(stages)[0].image).resize(size)
    data = encode(np.asarray(picture), image_format)
    assert client.segment(data).mask.shape == (size[1], size[0])
    assert_equal(client, offline, data)


def test_nothing_is_found_outside_the_field_of_view(client: Client, stages: Stages) -> None:
    picture = held_out(stages)[0]
    pixels = np.array(Image.open(picture.image))
    answer = client.segment(picture.image)
    dark = pixels.max(axis=2) < 5
    assert dark.mean() > 0.05
    assert (answer.probability[dark] > 0).mean() < 0.02


def test_arrays_and_files_are_answered_alike(client: Client, stages: Stages) -> None:
    pixels = np.array(Image.open(held_out(stages)[0].image))
    from_array, from_file = client.segment(pixels), client.segment(encode(pixels, "PNG"))
    assert np.array_equal(from_array.probability, from_file.probability)


@pytest.mark.parametrize("name", TASKS)
def test_server_says_what_each_step_took(client: Client, name: str) -> None:
    ask = client.classify if TASKS[name].kind is Kind.CLASSIFICATION else client.segment
    answer = ask(NOISE, task=name)
    steps_ms = astuple(answer.server)
    assert all(step_ms > 0 for step_ms in steps_ms)
    assert sum(steps_ms) < answer.elapsed_ms


def test_server_describes_itself(client: Client, served: Launched) -> None:
    assert client.ready()
    assert {model.name for model in client.models()} == set(served.endpoint["models"])
    answer = client.segment(np.full((64, 64, 3), 90, np.uint8))
    assert [(info.name, tuple(info.colour)) for info in answer.classes] == [
        (info.name, info.colour) for info in VESSELS.classes
    ]


def png_of_size(width_px: int, height_px: int) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(64))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


NOISE = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
BAD = {
    "text": (b"this is not a picture", "JPEG, PNG, TIFF or GIF"),
    "truncated": (encode(NOISE, "JPEG")[:9000], "cut off"),
    "one pixel": (encode(NOISE[:1, :1], "PNG"), "at least 32"),
    "30000 × 30000": (png_of_size(30000, 30000), "50,000,000 pixels"),
    "bomb": (encode(np.zeros((9000, 9000), np.uint8), "PNG"), "50,000,000 pixels"),
    "NaN samples": (encode(np.full((64, 64), np.nan, np.float32), "TIFF"), "32-bit samples"),
}


def raw_infer(url: str, model: str, name: str, array: np.ndarray, datatype: str) -> str:
    """Send a tensor past our client's own checks; return the status that comes back."""
    channel = grpc.InferenceServerClient(url)
    try:
        tensor = grpc.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        channel.infer(model, [tensor], client_timeout=20)
    except grpc.InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    finally:
        channel.close()
    return "OK"


def test_empty_bytes_are_refused_by_the_server(served: Launched) -> None:
    said = raw_infer(served.grpc, "vessels", "image", np.array([b""], dtype=object), "BYTES")
    assert said.startswith("StatusCode.INVALID_ARGUMENT")
    assert "0 bytes" in said


def test_empty_bytes_are_refused_by_the_client(client: Client) -> None:
    with pytest.raises(InvalidImageError):
        client.segment(b"")


@pytest.mark.parametrize("name", BAD)
def test_bad_picture_is_invalid_argument_with_reason_and_limit(served: Launched, client: Client, name: str) -> None:
    data, reason = BAD[name]
    said = raw_infer(served.grpc, "vessels", "image", np.array([data], dtype=object), "BYTES")
    assert said.startswith("StatusCode.INVALID_ARGUMENT")
    assert reason in said
    with pytest.raises((InvalidImageError, InvalidRequestError), match=reason):
        client.segment(data)
    assert client.ready()


TENSORS = {
    "two pictures in one tensor": ("vessels", "image", np.array([b"a", b"b"], dtype=object), "BYTES"),
    "NaN instead of a picture": ("vessels", "image", np.array([np.nan], np.float32), "FP32"),
    "NaN pixels": ("vessels_network", "pixels__0", np.full((1, 512, 512, 3), np.nan, np.float32), "FP32"),
    "wrong size": ("vessels_network", "pixels__0", np.zeros((1, 256, 512, 3), np.uint8), "UINT8"),
    "no batch": ("vessels_network", "pixels__0", np.zeros((512, 512, 3), np.uint8), "UINT8"),
    "too large a batch": ("vessels_network", "pixels__0", np.zeros((9, 512, 512, 3), np.uint8), "UINT8"),
    "wrong name": ("vessels", "picture", np.array([b"a"], dtype=object), "BYTES"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_wrong_tensor_is_invalid_argument(served: Launched, client: Client, name: str) -> None:
    assert raw_infer(served.grpc, *TENSORS[name]).startswith("StatusCode.INVALID_ARGUMENT")
    assert client.ready()


def test_impossible_geometry_is_invalid_argument(served: Launched, client: Client) -> None:
    """Also the inner models are open to callers: a geometry of 2^31 pixels must not take the process down."""
    channel = grpc.InferenceServerClient(served.grpc)
    plane = np.zeros((1, 512, 512), np.uint8)
    huge = 2**31 - 1
    for geometry in ([0] * 5, [huge, huge, 0, 0, 512], [512, 512, 0, 0, huge], [512, 512, -huge, huge, 512]):
        tensors = []
        for name, array, datatype in (
            ("fitted_probability", plane, "UINT8"),
            ("fitted_field_of_view", plane, "UINT8"),
            ("geometry", np.array(geometry, np.int32), "INT32"),
        ):
            tensor = grpc.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        with pytest.raises(grpc.InferenceServerException) as caught:
            channel.infer("vessels_postprocess", tensors, client_timeout=20)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT", geometry
    channel.close()
    assert client.ready()


def test_unknown_model_is_not_found(client: Client, served: Launched) -> None:
    array = np.array([b"a"], dtype=object)
    assert raw_infer(served.grpc, "vesels", "image", array, "BYTES").startswith("StatusCode.NOT_FOUND")
    with pytest.raises(ModelNotFoundError, match="vesels"):
        client.segment(NOISE, task="vesels")


def test_bad_pictures_do_not_touch_their_neighbours(served: Launched, client: Client, stages: Stages) -> None:
    """Good and bad requests arrive together, more than fit one batch: every good one is answered as if alone."""
    good = held_out(stages)[0].image.read_bytes()
    expected = client.segment(good)
    bad = [data for data, _ in BAD.values()]
    requests = [good if number % 2 == 0 else bad[number % len(bad)] for number in range(24)]

    def ask(data: bytes) -> np.ndarray | FoveaError:
        try:
            return client.segment(data).probability
        except FoveaError as error:
            return error

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, requests))
    for data, answer in zip(requests, answers, strict=True):
        if data is good:
            assert isinstance(answer, np.ndarray), answer
            assert np.abs(answer.astype(int) - expected.probability).max() <= 1
        else:
            assert isinstance(answer, FoveaError)
    assert client.ready()


def test_requests_are_batched_in_front_of_the_network(served: Launched, client: Client, stages: Stages) -> None:
    def executions() -> tuple[int, int]:
        channel = grpc.InferenceServerClient(served.grpc)
        statistics = channel.get_inference_statistics("vessels_network", as_json=True)["model_stats"][0]
        channel.close()
        return int(statistics["inference_count"]), int(statistics["execution_count"])

    data = held_out(stages)[0].image.read_bytes()
    before = executions()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: client.segment(data), range(32)))
    requests, runs = (after - earlier for after, earlier in zip(executions(), before, strict=True))
    assert requests == 32
    assert runs < 32


def test_served_release_is_still_what_was_placed(served: Launched, client: Client, release: Release) -> None:
    client.segment(NOISE)
    assert verify_checksums(release.repository) == served.endpoint["release"]


def test_nothing_of_the_machine_is_in_the_release(release: Release) -> None:
    home = os.fsencode(Path(__file__).parents[2])
    for path in release.repository.resolve().rglob("*"):
        assert not path.is_file() or home not in path.read_bytes(), path.name
