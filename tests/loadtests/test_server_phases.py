from dataclasses import replace

import pytest
from fovea_client.requests import ModelStatistics

from loadtests.endpoint import Endpoint
from loadtests.server_phases import Counts, read_counts, server_phases

BEFORE = ModelStatistics("vessels", "1", 10, 0, 1000, 2000, 3000, 4000, 10_000)
AFTER = ModelStatistics("vessels", "1", 14, 1, 9000, 6000, 43_000, 8000, 66_000)


def test_phases_are_means_over_the_requests_in_between() -> None:
    found = server_phases(Counts((), {"vessels": BEFORE}), Counts((), {"vessels": AFTER}), "vessels")
    assert found is not None
    assert found.task.requests == 4
    assert (found.task.queue_us, found.task.compute_input_us) == (2, 1)
    assert (found.task.infer_us, found.task.output_us, found.task.total_us) == (10, 1, 14)
    assert found.models == {}


def test_an_ensemble_comes_with_its_models_in_order() -> None:
    steps = ("vessels_preprocess", "vessels_network")
    named = {name: replace(AFTER, name=name) for name in ("other", *reversed(steps), "vessels")}
    found = server_phases(Counts(steps, {}), Counts(steps, named), "vessels")
    assert found is not None
    assert tuple(found.models) == steps


def test_a_server_that_was_started_anew_counts_from_zero() -> None:
    found = server_phases(Counts((), {"vessels": AFTER}), Counts((), {"vessels": BEFORE}), "vessels")
    assert found is not None
    assert (found.task.requests, found.task.total_us) == (10, 1)


@pytest.mark.parametrize("after", [None, Counts((), {}), Counts((), {"vessels": BEFORE})])
def test_nothing_known_or_nothing_answered_is_none(after: Counts | None) -> None:
    assert server_phases(Counts((), {"vessels": BEFORE}), after, "vessels") is None


def test_a_server_that_does_not_say_is_none(start_server) -> None:
    assert read_counts(Endpoint(start_server().url, "vessels")) is None
