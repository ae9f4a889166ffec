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


def test_the_shipped_file_is_valid_and_judges_everything() -> None:
    objectives = read_slo(DEFAULT_SLO).objectives
    assert None not in (objectives.p50_ms, objectives.p95_ms, objectives.p99_ms)
    assert objectives.error_ratio == 0


def test_a_latency_objective_may_be_left_out(tmp_path: Path) -> None:
    assert read_slo(_edited(tmp_path, "p50_ms: 500", "")).objectives.p50_ms is None


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
        ("error_ratio: 0.0", "error_ratio: 2", r"objectives\.error_ratio: .*less than or equal to 1"),
        ("error_ratio: 0.0", "", r"objectives\.error_ratio is missing"),
        ("arrivals: poisson", "arrivals: random", r"load\.arrivals: .*'poisson' or 'constant'.*'random'"),
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
