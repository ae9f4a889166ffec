"""The network's answer → what the caller gets, at the picture's own size. The same file for every task.

What the task's kind means for tensors stands in the config beside this folder; a test holds the two together.
"""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from tasks import Kind, TaskError, TaskSpec, get_task
from tasks.imaging import Geometry
from tasks.processing import postprocess, postprocess_classes, postprocess_label
from tasks.samples import Samples
from tasks.statistics import prediction_statistics
from tasks.telemetry import PREDICTED, PREDICTION, REJECTED, for_predictions

CLOCK, FIELD_OF_VIEW = "clock_ns", "fitted_field_of_view"


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read which task this is, which tensors it is given, and whether its figures are published."""
        config = json.loads(args["model_config"])
        parameters = config["parameters"]
        self.task = get_task(parameters["task"]["string_value"])
        self.telemetry = for_predictions(self.task, counters if parameters["metrics"]["string_value"] == "on" else None)
        self.telemetry.start()
        folder = os.environ.get("FOVEA_SAMPLES")
        self.samples = Samples(Path(folder)) if folder else None
        self.inputs = [tensor["name"] for tensor in config["input"] if tensor["name"] != CLOCK]

    def finalize(self) -> None:
        """Publish the last figures."""
        self.telemetry.stop()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answer each request by itself."""
        return [self.respond(request) for request in requests]

    def respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        """Return the task's outputs and what the steps took, or INVALID_ARGUMENT with the reason."""
        begun_ns = time.monotonic_ns()
        given = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        try:
            outputs = answer(given, self.task)
        except TaskError as error:
            self.telemetry.count(REJECTED, reason=error.reason)
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(f"{self.task.name}: {error}", pb_utils.TritonError.INVALID_ARG)
            )
        with harmless("a prediction was not looked at"):
            self.watch(given, outputs)
        if (clock := pb_utils.get_input_tensor_by_name(request, CLOCK)) is not None:
            spent = spent_us(clock.as_numpy(), begun_ns, time.monotonic_ns())
            with harmless("a request's time was not counted"):
                self.telemetry.took(int(spent.sum()) / 1e6)
            with harmless("a sample was not kept"):
                self.judge(int(clock.as_numpy()[0]), given, outputs)
            outputs["server_us"] = spent
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])

    def watch(self, given: dict[str, npt.NDArray[np.generic]], outputs: dict[str, npt.NDArray[np.generic]]) -> None:
        """Publish the class of the picture, and the figures of the prediction if it is its turn."""
        if "label" in outputs:
            self.telemetry.count(PREDICTED, **{"class": self.task.classes[int(outputs["label"][0])].name})
        if self.telemetry.look():
            self.telemetry.observe(PREDICTION, self.figures(given))

    def figures(self, given: dict[str, npt.NDArray[np.generic]]) -> dict[str, float]:
        """Return the statistics of a prediction as the network gave it."""
        classes, view = (given[name][0] if name in given else None for name in ("fitted_mask", FIELD_OF_VIEW))
        return prediction_statistics(given["fitted_probability"][0], classes, self.task, view)

    def judge(
        self,
        begun_ns: int,
        given: dict[str, npt.NDArray[np.generic]],
        outputs: dict[str, npt.NDArray[np.generic]],
    ) -> None:
        """Keep the picture whose preprocessing began then, if it is held and among the most uncertain."""
        key = f"{self.task.name}-{begun_ns}"
        if self.samples and self.samples.holds(key):
            label = self.task.classes[int(outputs["label"][0])].name if "label" in outputs else None
            self.samples.judge(key, self.task.name, self.figures(given), outputs.get("mask"), label)


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


def spent_us(clock_ns: npt.NDArray[np.int64], begun_ns: int, ended_ns: int) -> npt.NDArray[np.int64]:
    """Return INT64 [3]: the microseconds of preprocessing, of the network with its queue, of postprocessing.

    Args:
        clock_ns: when preprocessing began and ended. The steps are processes of one machine, so its clock is theirs.
        begun_ns: when postprocessing began.
        ended_ns: when it ended.
    """
    return np.diff([*clock_ns, begun_ns, ended_ns]).astype(np.int64) // 1000


def answer(given: dict[str, npt.NDArray[np.generic]], task: TaskSpec) -> dict[str, npt.NDArray[np.generic]]:
    """Return the outputs by name: label and probability of a classification, else mask and probability.

    Raises:
        TaskError: shapes or values that no picture leads to; this model is open to everyone.
    """
    probability = given["fitted_probability"][0]
    if task.kind is Kind.CLASSIFICATION:
        found = postprocess_label(probability, task)
        return {"label": np.array([found.label], np.int32), "probability": found.probability}
    view, geometry = given[FIELD_OF_VIEW][0], Geometry.from_array(given["geometry"])
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        segmented = postprocess_classes(given["fitted_mask"][0], probability, view, geometry, task)
    else:
        segmented = postprocess(probability, view, geometry, task)
    return {"mask": segmented.mask, "probability": segmented.probability}
