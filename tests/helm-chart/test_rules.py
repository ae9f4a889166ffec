"""Rules and dashboards as Prometheus reads them: each query parses, and alerts fire on known series, and only then."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart import CHART, REALISTIC, objects, run, template
from programs import tool

PODS = [f"eye-fovea-main-5b7cf9d8c-{letter * 5}" for letter in "ab"]
# What Grafana puts in.
VARIABLES = {"$__rate_interval": "5m", "$namespace": "clinic", "$price": "1"} | dict.fromkeys(
    ("$pods", "$task", "$deployments"), ".*"
)


@pytest.fixture(scope="module")
def promtool() -> str:
    return tool("promtool")


def check(promtool: str, folder: Path, rules: dict[str, Any]) -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    result = run(promtool, "check", "rules", folder / "rules.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


def queries(folder: Path, promtool: str, expressions: list[str]) -> None:
    rules = [{"record": f"query:{index}", "expr": text} for index, text in enumerate(expressions)]
    check(promtool, folder, {"groups": [{"name": "queries", "rules": rules}]})


def rendered(kind: str, name: str, *words: str) -> dict[str, Any]:
    return next(each for each in objects(template(*words, values=REALISTIC[name])) if each["kind"] == kind)


def test_every_rule_parses(promtool: str, tmp_path: Path) -> None:
    check(promtool, tmp_path, rendered("PrometheusRule", "gpu")["spec"])


def test_every_query_of_keda_parses(promtool: str, tmp_path: Path) -> None:
    triggers = rendered("ScaledObject", "keda")["spec"]["triggers"]
    assert [trigger["name"] for trigger in triggers] == ["pending", "queue", "rate", "outside"]
    queries(tmp_path, promtool, [trigger["metadata"]["query"] for trigger in triggers])


@pytest.mark.parametrize("path", sorted((CHART / "dashboards").glob("*.json")), ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_parses(promtool: str, tmp_path: Path, path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    for name, value in VARIABLES.items():
        expressions = [text.replace(name, value) for text in expressions]
    assert not [text for text in expressions if "$" in text.replace("'$1'", "")], "only label_replace's group is left"
    queries(tmp_path, promtool, expressions)


def test_every_alert_is_in_the_guide() -> None:
    alerts = re.findall(r"^- alert: (\w+)$", (CHART / "rules" / "alerts.yaml").read_text(), re.MULTILINE)
    guide = (CHART.parent / "docs" / "how-to" / "read-an-alert.md").read_text()
    assert re.findall(r"^## (\w+)$", guide, re.MULTILINE) == alerts


def series(metric: str, pod: str, per_minute: float, **labels: str) -> dict[str, str]:
    """A counter that grows steadily; a gauge where it does not grow."""
    text = ",".join(f'{name}="{value}"' for name, value in {"namespace": "clinic", "pod": pod, **labels}.items())
    return {"series": f"{metric}{{{text}}}", "values": f"0+{per_minute}x30"}


def busy(queue_ms: float, failed_share: float) -> list[dict[str, str]]:
    """Two pods: one answers 600 requests a minute, the other 6; both queue as long, and fail as often."""
    result = []
    for pod, per_minute in zip(PODS, (600.0, 6.0), strict=True):
        good, bad = per_minute * (1 - failed_share), per_minute * failed_share
        result += [
            series("nv_inference_request_success", pod, good, model="vessels"),
            series("nv_inference_request_success", pod, good, model="vessels_network"),
            series("nv_inference_request_failure", pod, bad, model="vessels", reason="BACKEND"),
            series("nv_inference_request_failure", pod, per_minute, model="vessels", reason="CANCELED"),
            series("nv_inference_queue_duration_us", pod, 0, model="vessels"),
            series("nv_inference_queue_duration_us", pod, good * queue_ms * 1000, model="vessels_network"),
            *(series("nv_inference_pending_request_count", pod, 0, model=task) for task in ("vessels", "eye_disease")),
        ]
    return result


def fired(promtool: str, folder: Path, name: str, input_series: list[dict[str, str]]) -> list[str]:
    """Return which alerts fire after 25 minutes, as far as promtool's own test can say it."""
    spec = rendered("PrometheusRule", name)["spec"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec))
    names = [rule["alert"] for rule in spec["groups"][1]["rules"]]
    silent = [{"eval_time": "25m", "alertname": alert, "exp_alerts": []} for alert in names]
    test = {"interval": "1m", "input_series": input_series, "alert_rule_test": silent}
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    result = run(promtool, "test", "rules", folder / "test.yaml")
    return sorted(set(re.findall(r"alertname: (\w+), time: 25m", result.stdout + result.stderr)))


def test_a_quiet_endpoint_alerts_nobody(promtool: str, tmp_path: Path) -> None:
    assert fired(promtool, tmp_path, "gpu", busy(queue_ms=20, failed_share=0)) == []


def test_queues_alert(promtool: str, tmp_path: Path) -> None:
    assert fired(promtool, tmp_path, "gpu", busy(queue_ms=250, failed_share=0)) == ["FoveaQueueing"]


def test_failures_alert(promtool: str, tmp_path: Path) -> None:
    assert fired(promtool, tmp_path, "gpu", busy(queue_ms=20, failed_share=0.05)) == [
        "FoveaErrors",
        "FoveaModelFailing",
    ]


def test_no_metrics_alert(promtool: str, tmp_path: Path) -> None:
    assert fired(promtool, tmp_path, "gpu", []) == ["FoveaDown"]


def test_a_pool_that_sleeps_alerts_nobody(promtool: str, tmp_path: Path) -> None:
    asleep = {
        "series": 'kube_deployment_spec_replicas{namespace="clinic",deployment="eye-fovea-main"}',
        "values": "0x30",
    }
    assert fired(promtool, tmp_path, "keda", [asleep]) == []
    awake = asleep | {"values": "2x30"}
    assert fired(promtool, tmp_path, "keda", [awake]) == ["FoveaDown"]


def test_another_release_in_the_namespace_is_not_this_one(promtool: str, tmp_path: Path) -> None:
    other = [
        {**each, "series": each["series"].replace("eye-fovea", "eye-fovea-2")} for each in busy(250, failed_share=0.5)
    ]
    assert fired(promtool, tmp_path, "gpu", other) == ["FoveaDown"]


def otherwise_recorded(
    promtool: str, folder: Path, input_series: list[dict[str, str]], name: str, labels: str, value: float, *words: str
) -> str:
    """Return what promtool says where the rule has not this one value after 25 minutes; nothing where it has."""
    (folder / "rules.yaml").write_text(yaml.safe_dump(rendered("PrometheusRule", "gpu", *words)["spec"]))
    expected = {"expr": name, "eval_time": "25m", "exp_samples": [{"labels": f"{name}{{{labels}}}", "value": value}]}
    test = {"interval": "1m", "input_series": input_series, "promql_expr_test": [expected]}
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    result = run(promtool, "test", "rules", folder / "test.yaml")
    return f"status {result.returncode}: {result.stdout}{result.stderr}" if result.returncode else ""


def test_queue_time_is_the_ratio_of_sums(promtool: str, tmp_path: Path) -> None:
    given, labels = busy(20, failed_share=0), 'namespace="clinic",release="eye"'
    assert not otherwise_recorded(promtool, tmp_path, given, "fovea:queue_milliseconds:rate5m", labels, 20.0)


@pytest.mark.parametrize("bound", ["1", "1.0"], ids=["before Prometheus 3", "since Prometheus 3"])
def test_a_whole_bound_is_found_however_it_is_written(promtool: str, tmp_path: Path, bound: str) -> None:
    asked = [
        series("fovea_request_seconds_count", PODS[0], 100, task="vessels"),
        series("fovea_request_seconds_bucket", PODS[0], 75, task="vessels", le=bound),
        series("fovea_request_seconds_bucket", PODS[0], 100, task="vessels", le="+Inf"),
    ]
    labels, words = 'namespace="clinic",release="eye",task="vessels"', "observability.prometheusRule.latencySeconds=1"
    assert not otherwise_recorded(promtool, tmp_path, asked, "fovea:slow_ratio:rate5m", labels, 0.25, "--set", words)
