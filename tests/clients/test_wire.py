"""The bytes written here are those that protobuf's own message would be read from."""

import numpy as np
import pytest
from fovea_client import wire
from fovea_client.errors import InvalidRequestError
from fovea_client.requests import InferRequest
from tritonclient.grpc import service_pb2 as messages

LENGTHS = [0, 1, 127, 128, 16_383, 16_384, 70_000]


@pytest.mark.parametrize("timeout_s", [1e-6, 0.000127, 0.000128, 1.0, 10.0, 86_400.0, 1e9])
@pytest.mark.parametrize("outputs", [None, ("mask",), ("mask", "probability")])
def test_message_says_what_was_asked(timeout_s: float, outputs: tuple[str, ...] | None) -> None:
    """Model, inputs, outputs and deadline arrive as given."""
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    text = np.array([b"an image", b""], dtype=np.object_)
    expected = messages.ModelInferRequest(model_name="vessels")
    expected.parameters["timeout"].int64_param = int(timeout_s * 1_000_000)
    expected.inputs.add(name="x", datatype="FP32", shape=(2, 3))
    expected.inputs.add(name="image", datatype="BYTES", shape=(2,))
    expected.raw_input_contents.extend([numbers.tobytes(), b"\x08\0\0\0an image\0\0\0\0"])
    for name in outputs or ():
        expected.outputs.add(name=name)
    request = InferRequest("vessels", {"x": numbers, "image": text}, outputs)
    assert messages.ModelInferRequest.FromString(wire.encode_infer(request, timeout_s)) == expected


@pytest.mark.parametrize("length", LENGTHS)
def test_tensors_of_every_length_arrive_whole(length: int) -> None:
    """The length before a tensor takes one byte or several."""
    data = np.arange(length, dtype=np.uint8)
    message = messages.ModelInferRequest.FromString(wire.encode_infer(InferRequest("m", {"x": data}), 1.0))
    assert (list(message.inputs[0].shape), message.raw_input_contents[0]) == ([length], data.tobytes())


def test_kinds_of_request_are_not_mixed_up() -> None:
    """Same names with another shape, type or model are another message."""
    arrays = [np.zeros(2, np.float32), np.zeros((1, 2), np.float32), np.zeros(2, np.int64)]
    read = [
        messages.ModelInferRequest.FromString(wire.encode_infer(InferRequest(model, {"x": array}), 1.0))
        for model in ("a", "b")
        for array in arrays * 2
    ]
    assert [(m.model_name, m.inputs[0].datatype, tuple(m.inputs[0].shape)) for m in read] == [
        (model, datatype, shape)
        for model in ("a", "b")
        for datatype, shape in [("FP32", (2,)), ("FP32", (1, 2)), ("INT64", (2,))] * 2
    ]


def test_more_than_a_message_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC would send what no server can read."""
    monkeypatch.setattr(wire, "_MAX_BYTES", 100)
    with pytest.raises(InvalidRequestError, match="2 GiB"):
        wire.encode_infer(InferRequest("m", {"x": np.zeros(100, np.uint8)}), 1.0)
