"""A search finds what was planted, says so when it cannot, and a pool is sized from what it wrote."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import NoisyMachine, SimulatedDriver, SimulatedServer, constant, lognormal

from loadtests.capacity.command import _parser, _plan
from loadtests.capacity.document import capacity_text
from loadtests.capacity.measure import Search, TryRate, load_at_target, search_all
from loadtests.capacity.pool import Replica, read_replicas, replicas_for
from loadtests.capacity.search import Found, Limit, Plan, Trial, next_rate
from loadtests.capacity.size import size
from loadtests.capacity.verdict import verdict_of
from loadtests.errors import InvalidCapacityError
from loadtests.outcome import Outcome
from loadtests.served import Served
from loadtests.slo import Slo

PLAN = Plan(start_rps=2, floor_rps=0.1, ceiling_rps=5000)
SERVED = Served("server:8001", profile="cpu", instances=2, release="ab" * 32)
AskOf = Callable[[SimulatedDriver], Callable[..., object]]


def trier(ask_of: AskOf, driver: SimulatedDriver, seed: int = 0, **load: object) -> TryRate:
    ask = ask_of(driver)

    def try_rate(served: Served, rate_rps: float, number: int):  # type: ignore[no-untyped-def]
        duration_s = max(5.0, 200 / rate_rps)
        return ask(served.url, rate_rps=rate_rps, duration_s=duration_s, seed=1000 * seed + number, **load)

    return try_rate


def searched(ask_of: AskOf, server: SimulatedServer, seed: int = 0, plan: Plan = PLAN, **load: object) -> Search:
    driver = SimulatedDriver({SERVED.url: server}, NoisyMachine(seed, step=0.0, burst=0.05))
    return search_all([SERVED], plan, trier(ask_of, driver, seed, **load))[0]


@pytest.mark.parametrize("seed", range(20))
def test_a_planted_limit_is_found_within_a_tenth(ask_of: AskOf, seed: int) -> None:
    """Two instances of 20 ms serve 100 requests/s and no more; one trial in twenty meets a neighbour."""
    search = searched(ask_of, SimulatedServer(constant(0.02), instances=2, seed=seed), seed, arrivals="constant")
    assert search.found is not None
    assert search.found.capacity is not None
    assert search.found.capacity.estimate == pytest.approx(100, rel=0.1)
    assert search.found.capacity.low < 106
    assert len(search.trials) <= PLAN.max_trials


@pytest.mark.parametrize("seed", range(8))
def test_a_soft_limit_is_found_within_a_tenth(ask_of: AskOf, seed: int) -> None:
    """Random arrivals at one instance of 10 ms: p99 passes 100 ms at 80/s, the median of 41 trials at each rate."""
    search = searched(ask_of, SimulatedServer(constant(0.01), seed=seed), seed, arrivals="poisson")
    assert search.found is not None
    assert search.found.capacity is not None
    assert search.found.capacity.estimate == pytest.approx(80, rel=0.1)


def test_several_endpoints_are_searched_in_turns(ask_of: AskOf) -> None:
    servers = {"one:1": SimulatedServer(constant(0.02)), "two:2": SimulatedServer(constant(0.02), instances=2)}
    driver = SimulatedDriver(servers)
    searches = search_all([Served(url) for url in servers], PLAN, trier(ask_of, driver, arrivals="constant"))
    assert [url for url, _ in driver.loads][:6] == ["one:1", "two:2"] * 3
    one, two = (search.found.capacity for search in searches if search.found)
    assert one is not None
    assert two is not None
    assert two.estimate / one.estimate == pytest.approx(2, rel=0.1)


def test_no_rate_meets_the_objectives_of_a_server_that_is_too_slow(ask_of: AskOf) -> None:
    search = searched(ask_of, SimulatedServer(constant(0.5)))
    assert search.found == Found(Limit.FLOOR, None, 0.0)
    verdict = verdict_of([search])
    assert verdict.outcome is Outcome.MISSED
    assert "no rate met" in verdict.reasons[0]


@pytest.mark.parametrize(("words", "floor_rps"), [([], 200 / 600), (["--start-rps=64"], 1), (["--start-rps=0.1"], 0.1)])
def test_no_trial_of_a_server_that_is_too_slow_takes_hours(slo: Slo, words: list[str], floor_rps: float) -> None:
    assert _plan(_parser().parse_args(["--url=host:8001", *words]), slo).floor_rps == pytest.approx(floor_rps)


def test_a_server_that_ended_ends_the_search(ask_of: AskOf) -> None:
    driver = SimulatedDriver({SERVED.url: SimulatedServer(constant(0.02), failing=1.0)})
    asked = []

    def is_ready(served: Served) -> bool:
        asked.append(served)
        return False

    search = search_all([SERVED], PLAN, trier(ask_of, driver), is_ready=is_ready)[0]
    assert search.found == Found(Limit.LOST, None, 0.0)
    assert len(search.trials) == len(asked) == 1
    assert verdict_of([search]).outcome is Outcome.MISSED


def test_a_generator_that_cannot_keep_up_is_no_capacity_of_the_server(ask_of: AskOf) -> None:
    driver = SimulatedDriver({SERVED.url: SimulatedServer(constant(0.001))}, lag_ms=80)
    search = search_all([SERVED], PLAN, trier(ask_of, driver))[0]
    assert search.found == Found(Limit.GENERATOR, None, 0.0)
    assert len(search.trials) == 2
    assert search.trials[0].reasons[0].startswith("the generator was late")
    assert verdict_of([search]).outcome is Outcome.INVALID


def test_what_was_found_before_the_generator_fell_behind_is_kept() -> None:
    told = [Trial(rate, Outcome.PASSED if rate < 100 else Outcome.MISSED) for rate in (20, 40, 80, 160, 90, 110)]
    late = [Trial(100, Outcome.INVALID)] * 2
    found = next_rate([*told, *late], PLAN)
    assert isinstance(found, Found)
    assert found.limit is Limit.GENERATOR
    assert found.capacity is not None
    assert found.capacity.low < 100 < found.capacity.high
    verdict = verdict_of([Search(SERVED, found=found)])
    assert verdict.outcome is Outcome.PASSED
    assert verdict.reasons == (f"{SERVED.name}: the generator fell behind before the interval was --precision narrow.",)


def test_a_server_faster_than_the_ceiling_passes_with_what_was_met(ask_of: AskOf) -> None:
    search = searched(ask_of, SimulatedServer(lognormal(0.001, 0.1)), plan=Plan(2, 0.1, 50))
    assert search.found == Found(Limit.CEILING, None, 50)
    assert verdict_of([search]).outcome is Outcome.PASSED
    assert verdict_of([search], at_least_rps=60).outcome is Outcome.MISSED


def test_an_interrupted_search_keeps_its_trials(ask_of: AskOf) -> None:
    driver = SimulatedDriver({SERVED.url: SimulatedServer(constant(0.02))}, interrupt_after=3)
    search = search_all([SERVED], PLAN, trier(ask_of, driver))[0]
    assert len(search.trials) == 3
    document = json.loads(capacity_text([search], PLAN, {"task": "vessels"}))
    assert document["complete"] is False
    assert document["capacities"][0]["capacity_rps"] is None
    assert verdict_of([search]).outcome is Outcome.INVALID


def test_the_median_latency_of_a_first_trial_saves_doublings() -> None:
    assert next_rate([Trial(2, Outcome.PASSED, single_stream_rps=40)], PLAN) == 40
    assert next_rate([Trial(2, Outcome.PASSED, single_stream_rps=1)], PLAN) == 4


def test_a_single_invalid_trial_is_tried_again() -> None:
    trials = [Trial(2, Outcome.PASSED), Trial(4, Outcome.INVALID)]
    assert next_rate(trials, PLAN) == 4


@pytest.fixture
def capacity_file(ask_of: AskOf, tmp_path: Path) -> Path:
    driver = SimulatedDriver({SERVED.url: SimulatedServer(constant(0.02), instances=2)})
    try_rate = trier(ask_of, driver, arrivals="constant")
    search = search_all([SERVED], PLAN, try_rate)[0]
    load_at_target(search, 0.7, try_rate)
    path = tmp_path / "capacity.json"
    path.write_text(capacity_text([search], PLAN, {"task": "vessels"}))
    return path


def test_the_document_holds_what_a_chart_reads(capacity_file: Path) -> None:
    document = json.loads(capacity_file.read_text())
    entry = document["capacities"][0]
    assert document["schema"] == "fovea.capacity/1"
    assert document["complete"] is True
    assert (entry["profile"], entry["instances"], entry["release"]) == ("cpu", 2, "ab" * 32)
    low, high = entry["interval_rps"]
    assert low <= entry["capacity_rps"] <= high
    assert entry["target"]["rate_rps"] == pytest.approx(0.7 * low, rel=1e-3)
    assert entry["target"]["met"] is True
    assert {trial["outcome"] for trial in entry["trials"]} == {"passed", "missed"}


def test_a_pool_is_sized_by_the_lower_bound(capacity_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low = json.loads(capacity_file.read_text())["capacities"][0]["interval_rps"][0]
    assert size([f"--capacity={capacity_file}", "--rate=500", "--json"]) == 0
    pool = json.loads(capsys.readouterr().out)[0]
    carrying = pool["replicas"] - pool["spare"]
    assert (carrying - 1) * 0.7 * low < 500 <= carrying * 0.7 * low
    assert pool["spare"] == 1


@pytest.mark.parametrize(("rate_rps", "replicas"), [(0.1, 1), (70, 1), (70.1, 2), (140, 2), (141, 3)])
def test_replicas_are_the_fewest_that_carry_the_rate(rate_rps: float, replicas: int) -> None:
    replica = Replica("vessels", "cpu", 1, sure_rps=100, queue_ms=None, pending=None)
    assert replicas_for(rate_rps, replica, utilisation=0.7, spare=0).replicas == replicas
    assert replicas_for(rate_rps, replica, utilisation=0.7, spare=2).replicas == replicas + 2


def _entry(more: str) -> str:
    entry = f'{{"profile": "cpu", "instances": 1, {more}}}'
    return f'{{"schema": "fovea.capacity/1", "task": "vessels", "capacities": [{entry}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "fovea.capacity/2"}',
        '{"schema": "fovea.capacity/1"}',
        _entry('"interval_rps": [0, 1]'),
        _entry('"interval_rps": [1, 2], "target": "none"'),
        _entry('"interval_rps": [1, 2], "target": {"queue_ms": [1]}'),
        _entry('"interval_rps": [1, 2], "target": {"pending": "few"}'),
    ],
)
def test_what_is_no_capacity_file_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "capacity.json"
    path.write_text(text)
    with pytest.raises(InvalidCapacityError, match=r"capacity\.json"):
        read_replicas(path)


def test_a_share_of_a_replica_cannot_be_spared(capacity_file: Path) -> None:
    with pytest.raises(SystemExit):
        size([f"--capacity={capacity_file}", "--rate=500", "--spare=1.5"])


def test_a_profile_that_was_not_measured_is_refused(capacity_file: Path) -> None:
    with pytest.raises(InvalidCapacityError, match="it has cpu × 2"):
        size([f"--capacity={capacity_file}", "--rate=500", "--profile=tensorrt"])
