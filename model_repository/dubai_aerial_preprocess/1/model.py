"""Encoded picture → the network's square. The same file for every task; the config's parameter names the task."""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from tasks import Rejection, TaskError, get_task
from tasks.processing import NetworkInput, preprocess
from tasks.samples import Samples
from tasks.statistics import input_statistics
from tasks.telemetry import INPUT, REJECTED, for_inputs


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read which task this is, and whether its figures are published."""
        parameters = json.loads(args["model_config"])["parameters"]
        self.task = get_task(parameters["task"]["string_value"])
        self.telemetry = for_inputs(self.task, counters if parameters["metrics"]["string_value"] == "on" else None)
        self.telemetry.start()
        # Asked for by whoever starts the server, never by the release: pictures may be personal data.
        folder = os.environ.get("FOVEA_SAMPLES")
        self.samples = Samples(Path(folder)) if folder else None

    def finalize(self) -> None:
        """Publish the last figures."""
        self.telemetry.stop()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answer each request by itself: a bad picture fails alone."""
        return [self.respond(request) for request in requests]

    def respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        """Return pixels, field of view, geometry and when this began and ended; or INVALID_ARGUMENT with the reason."""
        begun_ns = time.monotonic_ns()
        try:
            image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            encoded = bytes(image[0])
            fitted = preprocess(encoded, self.task)
        except (TaskError, IndexError, TypeError) as error:
            self.telemetry.count(REJECTED, reason=getattr(error, "reason", Rejection.MALFORMED))
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(f"{self.task.name}: {error}", pb_utils.TritonError.INVALID_ARG)
            )
        with harmless("a picture was not looked at"):
            self.watch(fitted)
        with harmless("a sample was not kept"):
            self.offer(encoded, begun_ns)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("pixels", fitted.pixels[np.newaxis]),
                pb_utils.Tensor("field_of_view", fitted.field_of_view[np.newaxis]),
                pb_utils.Tensor("geometry", fitted.geometry.to_array()),
                pb_utils.Tensor("clock_ns", np.array([begun_ns, time.monotonic_ns()], np.int64)),
            ]
        )

    def watch(self, fitted: NetworkInput) -> None:
        """Publish the figures of the picture, if it is its turn."""
        if self.telemetry.look():
            geometry = fitted.geometry
            figures = input_statistics(fitted.pixels, fitted.field_of_view, geometry.width_px, geometry.height_px)
            self.telemetry.observe(INPUT, figures)

    def offer(self, encoded: bytes, begun_ns: int) -> None:
        """Hold the picture until postprocessing knows how sure the network was, where samples are kept."""
        if self.samples:
            self.samples.offer(encoded, f"{self.task.name}-{begun_ns}")


@contextmanager
def harmless(said: str) -> Iterator[None]:
    """Log what fails within and go on: neither figures nor samples are worth a request."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        pb_utils.Logger.log_warn(f"{said}: {error}")


def counters(name: str, description: str) -> pb_utils.MetricFamily:
    """Return a family of Triton's own counters; /metrics shows them beside the others."""
    return pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.COUNTER)
