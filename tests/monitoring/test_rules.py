"""Every alert fires on the series that it is for, and is silent on their neighbours: as promtool says."""

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.__main__ import main
from monitoring.rules import FOLDER
from tasks import Rejection
from tasks.statistics import INPUT_STATISTICS

CASES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text())
NAMES = [rule["alert"] for rule in yaml.safe_load((FOLDER / "alerts.yaml").read_text().replace("@", ""))]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: install Debian's package `prometheus`")
    return found


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks on servers of the job `eye`, half a second for all but one request in a hundred."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    assert main(["rules", "--job", "eye", "--tasks", "vessels", "eye_disease", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def firing(promtool: str, rules: Path) -> Callable[[str], set[str]]:
    """Return the alerts that fire at the time of their own case, `fires` or `silent`."""
    return cache(lambda kind: fired(promtool, rules, kind))


def fired(promtool: str, rules: Path, kind: str) -> set[str]:
    """Return the alerts that fire by these rules at the time of their case of this kind."""
    document = {"rule_files": [str(rules)], "evaluation_interval": "1m"}
    document["tests"] = [case_test(name, case, kind) for name, case in CASES.items() if kind in case]
    path = rules.with_name(f"{kind}.yaml")
    path.write_text(yaml.safe_dump(document))
    result = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    found = set(re.findall(r"alertname: (\w+), time", said))
    assert bool(found) == (result.returncode != 0), said
    return found


def case_test(name: str, case: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return promtool's test that the alert is silent, given each series' own notation of values."""
    series = [{"series": text, "values": values} for text, values in case[kind].items()]
    expected = {"eval_time": case.get("at", "30m"), "alertname": name, "exp_alerts": []}
    return {"interval": "1m", "input_series": series, "alert_rule_test": [expected]}


def test_every_alert_has_a_firing_and_a_silent_case() -> None:
    assert list(CASES) == NAMES, "tests/monitoring/alerts.yaml has a case for each alert, in the order of the rules"
    for name, case in CASES.items():
        assert case["fires"], name
        assert case["silent"], name


@pytest.mark.parametrize("name", NAMES)
def test_fires(firing: Callable[[str], set[str]], name: str) -> None:
    assert name in firing("fires")


@pytest.mark.parametrize("name", NAMES)
def test_is_silent(firing: Callable[[str], set[str]], name: str) -> None:
    assert CASES[name]["silent"] != CASES[name]["fires"]
    assert name not in firing("silent")


def test_a_server_that_lost_its_only_task_is_noticed(promtool: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    assert main(["rules", "--job", "eye", "--out", str(rules)]) == 0
    assert fired(promtool, rules, "one_task_fires") == {"FoveaModelNotReady"}
    assert not fired(promtool, rules, "one_task_silent")


def test_a_drift_job_that_never_succeeded_is_noticed(promtool: str, rules: Path) -> None:
    assert fired(promtool, rules, "fires_before_any_success") == {"FoveaDriftJobFailed"}


def test_they_parse_as_prometheus_reads_them(promtool: str, rules: Path) -> None:
    result = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_chart_fills_the_same_words(rules: Path) -> None:
    template = (FOLDER.parent / "templates" / "_rules.tpl").read_text()
    for name in ("recording", "alerts"):
        text = (FOLDER / f"{name}.yaml").read_text()
        assert all(
            f'"{word}"' in template for word in {f"@{each}@" for each in text.split("@")[1::2] if each.isupper()}
        )
    assert "@" not in rules.read_text()


def test_a_latency_that_is_not_counted_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["rules", "--latency-s", "0.4", "--out", str(tmp_path / "rules.yaml")]) == 2
    assert "choose --latency-s of 0.005" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--job", 'a"b'], "use letters"), (["--job", "a\n"], "use letters")]
    + [(["--slow-ratio", value], "at most 0.06") for value in ("0", "0.07", "nan")],
)
def test_what_prometheus_would_not_take_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rules", *words, "--out", str(tmp_path / "rules.yaml")])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_alert_has_its_section_in_the_runbook() -> None:
    guide = (FOLDER.parents[1] / "docs" / "how-to" / "read-an-alert.md").read_text()
    assert re.findall(r"^## (\w+)$", guide, re.MULTILINE) == NAMES


def test_the_guide_names_every_reason_and_statistic() -> None:
    guide = (FOLDER.parents[1] / "docs" / "how-to" / "watch-the-endpoint.md").read_text()
    assert all(f"`{word}`" in guide for word in [*Rejection, *INPUT_STATISTICS, "confidence", "entropy"])
