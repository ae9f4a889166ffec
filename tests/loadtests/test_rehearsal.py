"""What is asked before the load, of a server that is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fovea_client.errors import InvalidRequestError
from fovea_client.requests import InferRequest, InferResult, ModelConfig

from loadtests.drive import Endpoint, Interruption, Load
from loadtests.expected import Expected
from loadtests.rehearsal import rehearse
from loadtests.slo import Correctness


class Pending:
    def __init__(self, request: InferRequest) -> None:
        self.request = request

    def result(self) -> InferResult:
        if "pixels" not in self.request.inputs:
            raise InvalidRequestError("unexpected input")
        return InferResult({"score": np.array([0.5], np.float32)}, "1")


class Transport:
    def send(self, _: object, *, timeout_s: float) -> ModelConfig:
        return ModelConfig("other", {}, outputs=("score",), inputs=("pixels",))

    def start(self, request: InferRequest, *, timeout_s: float, on_done: Callable[[], Any]) -> Pending:
        on_done()
        return Pending(request)

    def close(self) -> None:
        pass


def test_a_model_is_asked_by_the_name_of_its_own_input(
    monkeypatch: pytest.MonkeyPatch, images: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(Endpoint, "connect", lambda _: Transport())
    load = Load(images=(str(images),), rate_rps=10, duration_s=5)
    rehearse(Endpoint("", "other"), load, Correctness(), tmp_path, source=None, stop=Interruption())
    assert [answer.tolist() for answer in Expected.load(tmp_path).answers.values()] == [[0.5], [0.5]]
