"""The load test that the chart runs beside the release: its verdict is the Job's, and `helm test`'s."""

from typing import Any

import pytest
from chart_release import TASK, Placed, Release

pytestmark = pytest.mark.cluster
LOAD = {"rate_rps": 5, "duration_s": 10, "warm_up_s": 2}
EASY = {"p50_ms": 5000, "p95_ms": 5000, "p99_ms": 5000, "achieved_rate_ratio": 0.5, "generator_lag_p99_ms": 2000}


def load_test(image: str, **objectives: float) -> dict[str, Any]:
    return {
        "enabled": True,
        "task": TASK,
        "image": {"repository": image.rpartition(":")[0], "tag": image.rpartition(":")[2]},
        "slo": {"load": LOAD, "objectives": EASY | objectives},
    }


def test_helm_test_passes_when_the_objective_is_met(release: Release, releases: list[Placed], load_image: str) -> None:
    release.deploy(**releases[0].values(), loadTest=load_test(load_image))
    assert "Succeeded" in release.cluster.helm("test", release.name, "--timeout=240s").stdout


def test_helm_test_fails_when_it_cannot_be_met(release: Release, releases: list[Placed], load_image: str) -> None:
    release.deploy(**releases[0].values(), loadTest=load_test(load_image, p50_ms=0.01))
    done = release.cluster.helm("test", release.name, "--timeout=240s", check=False)
    assert done.returncode != 0
    of_load_test = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component=load-test"
    (pod,) = release.cluster.get("pods", "-l", of_load_test)["items"]
    (ended,) = [status["state"]["terminated"] for status in pod["status"]["containerStatuses"]]
    assert ended["exitCode"] == 1, "1 is an objective that was missed; 2 would be a run that says nothing"
