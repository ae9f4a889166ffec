"""The code of the steps without a server: what goes wrong beside a request does not reach its caller."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.imaging import Geometry

REPOSITORY = Path(__file__).parents[2] / "model_repository"
SIZE_PX = 512
CLOCK = np.array([5, 7], np.int64)
IMAGE = {"image": np.array([b"\x89PNG"], np.object_)}
PLANE = np.full((1, SIZE_PX, SIZE_PX), 128, np.uint8)
ANSWER = {
    "fitted_probability": PLANE,
    "fitted_field_of_view": np.ones_like(PLANE),
    "geometry": Geometry(SIZE_PX, SIZE_PX, 0, 0, SIZE_PX).to_array(),
    "clock_ns": CLOCK,
}


class Stub(SimpleNamespace):
    """Triton's `pb_utils`, as far as the steps use it; a request is a dictionary of arrays."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        super().__init__(
            Logger=SimpleNamespace(log_warn=self.warnings.append),
            Tensor=lambda name, array: (name, array),
            InferenceResponse=lambda tensors=None, error=None: SimpleNamespace(
                tensors=dict(tensors or []), error=error
            ),
            TritonError=SimpleNamespace,
            get_input_tensor_by_name=lambda request, name: SimpleNamespace(as_numpy=lambda: request[name]),
        )


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", stub)  # type: ignore[arg-type]
    return stub


def step(part: str) -> Any:
    path = REPOSITORY / f"vessels_{part}" / "1" / "model.py"
    spec = importlib.util.spec_from_file_location(f"vessels_{part}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.TritonPythonModel()
    parameters = {"task": {"string_value": "vessels"}, "metrics": {"string_value": "off"}}
    model.initialize({"model_config": json.dumps({"parameters": parameters, "input": [{"name": n} for n in ANSWER]})})
    return module, model


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("no matter what")


def request(part: str, module: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    if part == "postprocess":
        return ANSWER
    fitted = SimpleNamespace(pixels=PLANE[0], field_of_view=PLANE[0], geometry=Geometry(4, 4, 0, 0, 4))
    monkeypatch.setattr(module, "preprocess", lambda *_: fitted)
    return IMAGE


@pytest.mark.parametrize(
    ("part", "beside"),
    [("preprocess", "offer"), ("preprocess", "watch"), ("postprocess", "judge"), ("postprocess", "watch")],
)
def test_what_fails_beside_a_request_is_a_warning(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, part: str, beside: str
) -> None:
    module, model = step(part)
    asked = request(part, module, monkeypatch)
    monkeypatch.setattr(model, beside, broken)
    [response] = model.execute([asked])
    assert response.error is None
    assert response.tensors
    [said] = stub.warnings
    assert "no matter what" in said
