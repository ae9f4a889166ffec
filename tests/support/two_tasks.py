"""A light endpoint that serves a segmentation and a classification at once, and what a page of the dashboard says."""

import io
import json
from typing import Any

import cv2
import grpc
import numpy as np
from kserve import PARAMETERS, LightTriton
from streamlit.testing.v1 import AppTest
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as messages

MADE_FROM = {"weights_sha256": "c0ffee" * 10, "metrics": {"dice": 0.786}, "trained_by": {"code_revision": "abc123"}}
VESSELS = PARAMETERS | {"provenance": json.dumps(MADE_FROM)}
EYE_DISEASE = {
    "task": "eye_disease",
    "kind": "classification",
    "classes": json.dumps(
        [{"name": "cataract", "colour": [10, 20, 30]}, {"name": "<b>normal</b>", "colour": [1, 2, 3]}]
    ),
}


class TwoTasks(LightTriton):
    """Finds a vessel wherever the picture is red; calls every eye normal. `tasks` maps names to parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = {"vessels": dict(VESSELS), "eye_disease": dict(EYE_DISEASE)}
        self.threshold = 127

    def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        index = messages.RepositoryIndexResponse()
        for name in [name + part for name in self.tasks for part in ("", "_network")]:
            index.models.add(name=name, version="1", state="READY")
        index.models.add(name="broken", version="1", state="UNAVAILABLE", reason="no such file")
        return index

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ModelConfig")
        config = model_config_pb2.ModelConfig(name=request.name)
        if request.name in self.tasks:
            config.ensemble_scheduling.step.add(model_name=f"{request.name}_network")
            for key, value in self.tasks[request.name].items():
                config.parameters[key].string_value = value
        else:
            config.backend, config.default_model_filename = "onnxruntime", "model.onnx"
        return messages.ModelConfigResponse(config=config)

    def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802
        reply = messages.ModelStatisticsResponse()
        model = reply.model_stats.add(name="vessels", version="1")
        model.inference_stats.success.count = self.attempts["ModelInfer"]
        model.inference_stats.success.ns = 4_500_000 * self.attempts["ModelInfer"]
        model.inference_stats.fail.count = 3
        return reply

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ModelInfer")
        picture = cv2.imdecode(np.frombuffer(request.raw_input_contents[0][4:], np.uint8), cv2.IMREAD_COLOR)
        reply = messages.ModelInferResponse(model_name=request.model_name, model_version="1")
        if picture is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the bytes sent are not a readable image")
        if request.model_name == "eye_disease":
            _add(reply, "label", "INT32", np.array([1], np.int32))
            _add(reply, "probability", "FP32", np.array([0.25, 0.75], np.float32))
        else:
            red = np.ascontiguousarray(picture[..., 2])
            _add(reply, "mask", "UINT8", (red > self.threshold).astype(np.uint8))
            _add(reply, "probability", "UINT8", red)
        _add(reply, "server_us", "INT64", np.array([100, 200, 300], np.int64))
        return reply


def _add(reply: Any, name: str, datatype: str, value: np.ndarray) -> None:
    reply.outputs.add(name=name, datatype=datatype, shape=value.shape)
    reply.raw_output_contents.append(value.tobytes())


def png(picture: np.ndarray) -> bytes:
    """An RGB picture as a file."""
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()


def text(app: AppTest) -> str:
    """Everything that the page says, its HTML included."""
    said = io.StringIO()
    for kind in ("html", "markdown", "caption", "info", "error", "success"):
        for element in app.get(kind):
            said.write(f"{getattr(element, 'value', None) or element.proto.body}\n")
    return said.getvalue()
