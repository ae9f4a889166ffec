from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from simulated import SimulatedDriver

from loadtests.drive import Endpoint, Interruption, Load
from loadtests.judged import Judged, judged
from loadtests.slo import Correctness, LoadProfile, Objectives, Slo

LOAD = Load(images=("unused",), rate_rps=20, duration_s=5)
ENDPOINT = Endpoint("", "vessels")

Ask = Callable[..., Judged | None]


@pytest.fixture
def slo() -> Slo:
    """p99 at most 100 ms, no failure."""
    return Slo(
        load=LoadProfile(rate_rps=2, duration_s=5, warm_up_s=0, arrivals="poisson"),
        objectives=Objectives.model_validate(
            {"p99_ms": 100.0, "error_ratio": 0.0, "achieved_rate_ratio": 0.9, "generator_lag_p99_ms": 50.0}
        ),
        correctness=Correctness(),
    )


@pytest.fixture
def ask_of(slo: Slo) -> Callable[[SimulatedDriver], Ask]:
    """What drives a load at a simulated server and judges it; None once the driver was interrupted."""

    def make(driver: SimulatedDriver) -> Ask:
        interruption = Interruption()

        def ask(url: str, **load: object) -> Judged | None:
            driven = driver(
                replace(ENDPOINT, url=url),
                replace(LOAD, **load),
                Path(),
                interruption=interruption,  # type: ignore[arg-type]
            )
            return None if interruption.signal_name else judged(driven, slo)

        return ask

    return make
