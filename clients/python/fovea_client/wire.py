"""An inference request as the bytes that gRPC sends.

Protobuf reads the parts of one message that stand one after another as one message (encoding specification, "last one
wins" and concatenated repeated fields). So what every request of a kind shares, its names, types and shapes, is encoded
once; a call adds its deadline and its tensors. Filling a message anew costs a busy event loop about 20 µs a call.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from tritonclient.grpc import service_pb2 as messages
from tritonclient.utils import triton_to_np_dtype

from fovea_client.errors import InvalidRequestError
from fovea_client.requests import InferRequest, Tensor

_NUMBERS = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"]
DTYPES = {name: np.dtype(triton_to_np_dtype(name)) for name in _NUMBERS}
_DATATYPES = {dtype: name for name, dtype in DTYPES.items()}
_ELEMENT_LENGTH = struct.Struct("<I")
# Names, types and shapes seen lately; a caller's images are one kind, its arrays may be many.
_KINDS = 256
# Protobuf's own limit on a message.
_MAX_BYTES = 2**31 - 1

# Keys of fields of a given length: number << 3 | 2.
_PARAMETERS = bytes((messages.ModelInferRequest.PARAMETERS_FIELD_NUMBER << 3 | 2,))
_RAW = bytes((messages.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER << 3 | 2,))
_INT64 = bytes((messages.InferParameter.INT64_PARAM_FIELD_NUMBER << 3,))
# A map's entry is a message of key (1) and value (2).
_TIMEOUT_KEY = b"\x0a\x07timeout\x12"

Described = tuple[str, str, tuple[int, ...]]


def encode_infer(request: InferRequest, timeout_s: float) -> bytes:
    """A serialised `ModelInferRequest`.

    Raises:
        InvalidRequestError: an input is no array that Triton has a type for, or all of them pass 2 GiB.
    """
    kind: list[Described] = []
    contents: list[bytes] = []
    for name, array in request.inputs.items():
        datatype, raw = _encode_tensor(name, array)
        kind.append((name, datatype, array.shape))
        contents += (_RAW, _varint(len(raw)), raw)
    outputs = None if request.outputs is None else tuple(request.outputs)
    message = b"".join((_head(request.model, tuple(kind), outputs), _timeout(timeout_s), *contents))
    if len(message) > _MAX_BYTES:
        raise InvalidRequestError(
            f"the inputs are {len(message)} bytes: one request carries 2 GiB", model=request.model
        )
    return message


@lru_cache(_KINDS)
def _head(model: str, kind: Sequence[Described], outputs: Sequence[str] | None) -> bytes:
    message = messages.ModelInferRequest(model_name=model)
    for name, datatype, shape in kind:
        message.inputs.add(name=name, datatype=datatype, shape=shape)
    for name in outputs or ():
        message.outputs.add(name=name)
    head: bytes = message.SerializeToString()
    return head


def _timeout(timeout_s: float) -> bytes:
    """The parameter `timeout` in microseconds; on gRPC's own deadline Triton cancels what it has not begun.

    A queue drops the request in time where its policy allows it (allow_timeout_override); a Python model can read it.
    """
    value = _INT64 + _varint(int(timeout_s * 1_000_000))
    entry = _TIMEOUT_KEY + bytes((len(value),)) + value
    return _PARAMETERS + bytes((len(entry),)) + entry


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    if number < 0x80:
        return bytes((number,))
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _encode_tensor(name: str, array: Tensor) -> tuple[str, bytes]:
    if not isinstance(array, np.ndarray):
        raise InvalidRequestError(f"input {name!r} is a {type(array).__name__}: pass a numpy array")
    datatype = _DATATYPES.get(array.dtype)
    if datatype is not None:
        return datatype, array.tobytes()
    # numpy's fixed-width bytes drop trailing zero bytes, which cuts the end off some files.
    if array.dtype != np.object_:
        raise InvalidRequestError(f"input {name!r} has dtype {array.dtype}: pass numbers, or bytes as dtype=object")
    elements = array.ravel().tolist()
    if not all(isinstance(element, bytes) for element in elements):
        raise InvalidRequestError(f"input {name!r} has dtype object but holds more than bytes: encode its elements")
    return "BYTES", b"".join(part for element in elements for part in (_ELEMENT_LENGTH.pack(len(element)), element))
