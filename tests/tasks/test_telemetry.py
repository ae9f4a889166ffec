"""What Prometheus is told: histograms that add up, a closed set of series, and nothing that falls."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tasks import TASKS, Rejection, TaskError, get_task
from tasks.imaging import decode
from tasks.spec import ImageLimits
from tasks.statistics import INPUT_STATISTICS, prediction_names
from tasks.telemetry import INPUT, PREDICTED, PREDICTION, REJECTED, Telemetry, bounds, for_inputs, for_predictions

VESSELS, EYE_DISEASE = get_task("vessels"), get_task("eye_disease")
Labels = frozenset[tuple[str, str]]


@dataclass
class Registry:
    """Triton's side: families by name, counters by labels."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)
    messages: int = 0
    fell: bool = False  # Prometheus takes a counter that falls for a restart
    breaks: str = ""  # the name of a counter that fails

    def __call__(self, name: str, description: str) -> Any:
        assert description
        return _Family(self, name)

    def read(self, name: str, **labels: str) -> float:
        return self.values[name, frozenset(({"task": "vessels"} | labels).items())]

    def histogram(self, name: str) -> dict[str, float]:
        found = {dict(labels)["le"]: value for (each, labels), value in self.values.items() if each == f"{name}_bucket"}
        return dict(sorted(found.items(), key=lambda item: float(item[0])))


@dataclass
class _Family:
    registry: Registry
    name: str

    def Metric(self, labels: dict[str, str]) -> Any:  # noqa: N802
        key = self.name, frozenset(labels.items())
        self.registry.values.setdefault(key, 0.0)
        return _Counter(self.registry, key)


@dataclass
class _Counter:
    registry: Registry
    key: tuple[str, Labels]

    def increment(self, value: float) -> None:
        if self.key[0] == self.registry.breaks:
            raise RuntimeError("Triton is at its end")
        self.registry.fell |= value < 0
        self.registry.messages += 1
        self.registry.values[self.key] += value


def published(make: Callable[..., Telemetry] = for_inputs, **timing: float) -> tuple[Telemetry, Registry]:
    registry = Registry()
    return make(VESSELS, registry, **timing), registry


def test_a_histogram_is_cumulative_and_adds_up() -> None:
    telemetry, registry = published()
    for value in (0.1, 0.12, 0.5, 1.0):
        telemetry.observe(INPUT, {"brightness": value})
    telemetry.flush()
    found = registry.histogram("fovea_input_brightness")
    assert list(found.values()) == sorted(found.values())
    assert (found["0.05"], found["0.1"], found["0.15"], found["0.5"], found["+Inf"]) == (0, 1, 2, 3, 4)
    assert registry.read("fovea_input_brightness_count") == 4
    assert registry.read("fovea_input_brightness_sum") == pytest.approx(1.72)


def test_what_is_below_zero_counts_and_makes_nothing_fall() -> None:
    telemetry, registry = published()
    telemetry.observe(INPUT, {"sharpness": -2.0})
    telemetry.flush()
    assert registry.histogram("fovea_input_sharpness")["-1"] == 1
    assert registry.read("fovea_input_sharpness_sum") == 0
    assert not registry.fell


def test_what_is_no_number_is_dropped() -> None:
    telemetry, registry = published()
    for value in (float("nan"), float("inf"), 0.25):
        telemetry.observe(INPUT, {"brightness": value})
    telemetry.flush()
    assert registry.read("fovea_input_brightness_sum") == 0.25
    assert registry.read("fovea_input_brightness_count") == registry.histogram("fovea_input_brightness")["+Inf"] == 1


def test_a_counter_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    telemetry, registry = published(flush_s=0.01)
    registry.breaks = "fovea_input_width_px_sum"
    telemetry.start()
    for wanted in (1, 2):
        telemetry.observe(INPUT, {"width_px": 64.0})
        telemetry.count(REJECTED, reason=Rejection.EMPTY)
        deadline_s = time.monotonic() + 5
        while registry.read(REJECTED, reason="empty") < wanted:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    telemetry.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "the counter fovea_input_width_px_sum could not be handed on"
    ]


@pytest.mark.parametrize("statistic", [*INPUT_STATISTICS, "confidence"])
def test_bounds_rise(statistic: str) -> None:
    assert list(bounds(statistic)) == sorted(set(bounds(statistic)))


def test_all_series_are_there_before_the_first_request_and_no_more_after_it() -> None:
    telemetry, registry = published()
    telemetry.flush()
    before = set(registry.values)
    assert {dict(labels)["reason"] for name, labels in before if name == REJECTED} == set(Rejection)
    telemetry.observe(INPUT, dict.fromkeys(INPUT_STATISTICS, 0.3))
    for reason in Rejection:
        telemetry.count(REJECTED, reason=reason)
    telemetry.flush()
    assert set(registry.values) == before


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_predictions_of_every_task_are_declared(task: Any) -> None:
    registry = Registry()
    telemetry = for_predictions(task, registry)
    telemetry.flush()
    before = set(registry.values)
    telemetry.observe(PREDICTION, dict.fromkeys(prediction_names(task), 0.3))
    telemetry.flush()
    assert set(registry.values) == before
    classes = {dict(labels)["class"] for name, labels in before if name == PREDICTED}
    assert classes == ({info.name for info in task.classes} if task is EYE_DISEASE else set())


def test_requests_send_no_message() -> None:
    telemetry, registry = published()
    telemetry.flush()
    before = registry.messages
    for _ in range(100):
        telemetry.observe(INPUT, dict.fromkeys(INPUT_STATISTICS, 0.3))
    assert registry.messages == before
    telemetry.flush()
    assert registry.messages - before < 200, "one message a counter that grew, however many requests"


def test_some_pictures_a_second_are_looked_at() -> None:
    telemetry, _ = published(pictures_per_s=20.0)
    looked = 0
    until_s = time.monotonic() + 0.2
    while time.monotonic() < until_s:
        looked += telemetry.look()
    assert 1 <= looked <= 5


def test_switched_off_it_does_nothing() -> None:
    telemetry = for_inputs(VESSELS, None)
    threads = threading.active_count()
    telemetry.start()
    assert not telemetry.look()
    telemetry.count(REJECTED, reason=Rejection.EMPTY)
    assert threading.active_count() == threads
    telemetry.stop()


def test_the_last_figures_are_handed_on_at_the_end() -> None:
    telemetry, registry = published(flush_s=60.0)
    telemetry.start()
    telemetry.count(REJECTED, reason=Rejection.EMPTY)
    telemetry.stop()
    assert registry.read(REJECTED, reason="empty") == 1


def test_figures_are_handed_on_while_it_runs() -> None:
    telemetry, registry = published(flush_s=0.01)
    telemetry.start()
    telemetry.count(REJECTED, reason=Rejection.EMPTY)
    deadline_s = time.monotonic() + 5
    while registry.read(REJECTED, reason="empty") == 0:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    telemetry.stop()


def encoded(width_px: int, height_px: int, kind: str = "PNG") -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height_px, width_px, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Rejection.EMPTY),
        (b"no picture", Rejection.NOT_AN_IMAGE),
        (b"x" * 5000, Rejection.TOO_MANY_BYTES),
        (encoded(8, 64), Rejection.TOO_SMALL),
        (encoded(200, 64), Rejection.TOO_LARGE),
        (encoded(99, 99), Rejection.TOO_LARGE),
        (encoded(64, 64)[:-40], Rejection.DAMAGED),
    ],
)
def test_every_refusal_has_its_reason(data: bytes, reason: Rejection) -> None:
    limits = ImageLimits(max_bytes=4000, max_side_px=100, max_pixels=9000)
    with pytest.raises(TaskError) as caught:
        decode(data, limits)
    assert caught.value.reason is reason
    assert str(caught.value).count(reason.name) == 0


def test_times_that_no_clock_gives_are_dropped() -> None:
    telemetry, registry = published(for_predictions)
    for seconds in (0.04, 0.6, -1.0, 1e9):
        telemetry.took(seconds)
    telemetry.flush()
    found = registry.histogram("fovea_request_seconds")
    assert (found["0.05"], found["0.5"], found["0.7"], found["+Inf"]) == (1, 1, 2, 2)
