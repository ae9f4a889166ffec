from pathlib import Path

import pytest

from loadtests.errors import InvalidObjectivesError
from loadtests.settings import DEFAULT_SLO
from loadtests.slo import read_slo

# A text of its own: the shipped figures are there to be tuned.
TEXT = """\
load:
  rate_rps: 2
  duration_s: 20
  warm_up_s: 3
  arrivals: poisson
objectives:
  p50_ms: 500
  p95_ms: 1000
  p99_ms: 1500
  error_ratio: 0.0
  achieved_rate_ratio: 0.9
  generator_lag_p99_ms: 50
"""
TASKS = """\
tasks:
  eye_disease:
    load:
      rate_rps: 20
    objectives:
      p50_ms: 200
      p99_ms:
  landcover_ai:
    correctness:
      agreement: 0.5
"""


def test_the_shipped_file_is_valid_and_judges_everything() -> None:
    objectives = read_slo(DEFAULT_SLO).objectives
    assert {"p50", "p95", "p99"} <= set(objectives.latency_ms)
    assert objectives.error_ratio == 0
    assert None not in objectives.model_dump().values()


def test_a_latency_objective_may_be_left_out(tmp_path: Path) -> None:
    assert set(read_slo(_edited(tmp_path, "p50_ms: 500", "")).objectives.latency_ms) == {"p95", "p99"}


def test_any_quantile_can_have_a_limit(tmp_path: Path) -> None:
    objectives = read_slo(_edited(tmp_path, "p99_ms: 1500", "p99_ms: 1500\n  p99.9_ms: 2000\n  p75_ms: 700")).objectives
    assert objectives.latency_ms == {"p50": 500, "p75": 700, "p95": 1000, "p99": 1500, "p99.9": 2000}
    assert objectives.quantiles["p99.9"] == pytest.approx(0.999)


def test_a_task_has_its_own_where_the_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(TEXT + TASKS, encoding="utf-8")
    common, eyes, land = (read_slo(path, task) for task in ("vessels", "eye_disease", "landcover_ai"))
    assert common == read_slo(path)
    assert eyes.objectives.latency_ms == {"p50": 200, "p95": 1000}, "p99 is no objective of this task"
    assert (eyes.load.rate_rps, eyes.load.duration_s) == (20, 20)
    assert (common.load.rate_rps, land.correctness.agreement) == (2, 0.5)
    assert land.correctness.sample_every == common.correctness.sample_every


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "      p50_ms: 200",
            "      p50: 200",
            r"tasks\.eye_disease\.objectives\.p50 is no known key; did you mean p50_ms",
        ),
        ("rate_rps: 20", "rate_rps: fast", r"tasks\.eye_disease\.load\.rate_rps: .*'fast'"),
        ("agreement: 0.5", "agreement: 5", r"tasks\.landcover_ai\.correctness\.agreement: "),
        ("  landcover_ai:", "  landcover_ai: 3\n  x:", r"tasks: must hold the name of a task"),
        ("tasks:", "task:", r"task is no known key; did you mean tasks\?"),
    ],
)
def test_a_wrong_task_is_refused_whatever_task_is_asked_for(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TASKS
    path = tmp_path / "slo.yaml"
    path.write_text(TEXT + TASKS.replace(old, new), encoding="utf-8")
    with pytest.raises(InvalidObjectivesError, match=sentence):
        read_slo(path, "vessels")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("p95_ms:", "p95_msec:", r"slo\.yaml: objectives\.p95_msec is no known key; did you mean p95_ms\?"),
        ("rate_rps:", "frequency:", r"load\.rate_rps is missing|load\.frequency is no known key \(known: rate_rps"),
        ("objectives:", "objektives:", r"objektives is no known key; did you mean objectives\?|objectives is missing"),
        ("p95_ms: 1000", 'p95_ms: "1000"', r"slo\.yaml: objectives\.p95_ms: .*valid number.*'1000'"),
        ("p95_ms: 1000", "p95_ms: true", r"objectives\.p95_ms: .*valid number.*True"),
        ("p95_ms: 1000", "p95_ms: .nan", r"objectives\.p95_ms: "),
        ("p95_ms: 1000", "p95_ms: -1", r"objectives\.p95_ms: .*greater than 0"),
        ("p95_ms: 1000", "p95_ms: 100", r"objectives: .*must not fall from p50_ms"),
        ("p95_ms: 1000", "latency_ms: {p200: 5}", r"objectives\.latency_ms is no known key"),
        ("error_ratio: 0.0", "error_ratio: 2", r"objectives\.error_ratio: .*less than or equal to 1"),
        ("error_ratio: 0.0", "", r"objectives\.error_ratio is missing"),
        ("arrivals: poisson", "arrivals: random", r"load\.arrivals: .*'poisson' or 'constant'.*'random'"),
        ("p95_ms:", "p100_ms:", r"objectives\.p100_ms is no known key; did you mean p"),
        (
            "error_ratio: 0.0",
            "eror_ratio: 0.0",
            r"eror_ratio is no known key; did you mean error_ratio|error_ratio is missing",
        ),
        ("p95_ms: 1000", "p95_ms:", r"objectives\.p95_ms: "),
        ("load:", "load: [", r"slo\.yaml is not YAML: "),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_that_names_the_key(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(InvalidObjectivesError, match=sentence) as caught:
        read_slo(_edited(tmp_path, old, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1\n", "fast please\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidObjectivesError, match=r"slo\.yaml: the file: "):
        read_slo(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidObjectivesError, match=r"cannot be read.*--slo"):
        read_slo(tmp_path / "slo.yaml")


def _edited(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = folder / "slo.yaml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    return path
