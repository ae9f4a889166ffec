"""A real Prometheus scrapes the real server under load: every panel of every dashboard shows something."""

import json
import math
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from doors import Launched, Release
from fovea_client import Client, FoveaError
from loopback import await_answer, get

from monitoring.__main__ import main
from monitoring.dashboards import BOARDS
from monitoring.dashboards.cost import COST
from monitoring.dashboards.panel import Board, Panel
from serving.runtime import free_ports
from tasks import TASKS, Kind
from tasks.held_out import read_held_out

pytestmark = pytest.mark.slow
# Figures are handed on every five seconds; a rate needs two scrapes that differ.
LOAD_S, WINDOW = 20.0, "30s"
PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
# What only a GPU or Kubernetes says, with what they would say; and the drift job's file.
ELSEWHERE = """\
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5
nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 8e9
nv_gpu_memory_total_bytes{gpu_uuid="GPU-1"} 8e10
kube_deployment_spec_replicas{deployment="eye-fovea-main"} 2
kube_deployment_status_replicas_available{deployment="eye-fovea-main"} 2
kube_pod_container_status_restarts_total{container="triton"} 1
container_memory_working_set_bytes{container="triton"} 2e9
fovea_drift_score{task="vessels",statistic="brightness",method="psi"} 0.3
fovea_drift_threshold{task="vessels",statistic="brightness",method="psi"} 0.2
fovea_drift_p_value{task="vessels",statistic="brightness",method="ks"} 0.01
fovea_drift_alarm{task="vessels",kind="input"} 1
fovea_drift_window_images{task="vessels"} 200
fovea_drift_last_run_timestamp_seconds{task="vessels"} 1.7e9
fovea_reference_created_timestamp_seconds{task="vessels"} 1.7e9
"""
# What counts up: how much a second. A network on a GPU computes for a quarter of each second, in batches of four.
GROWING = {
    'container_cpu_usage_seconds_total{container="triton"}': 0.5,
    'nv_inference_compute_input_duration_us{model="vessels_network",gpu_uuid="GPU-1"}': 0.0,
    'nv_inference_compute_infer_duration_us{model="vessels_network",gpu_uuid="GPU-1"}': 1e6,
    'nv_inference_compute_output_duration_us{model="vessels_network",gpu_uuid="GPU-1"}': 0.0,
    'nv_inference_exec_count{model="vessels_network",gpu_uuid="GPU-1"}': 10.0,
    'nv_inference_request_success{model="vessels_network",gpu_uuid="GPU-1"}': 40.0,
}


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        growing = "".join(f"{series} {each * time.monotonic()}\n" for series, each in GROWING.items())
        self.wfile.write((ELSEWHERE + growing).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    launched = Launched(release.repository, tmp_path_factory.mktemp("serving"))
    try:
        yield launched.wait()
    finally:
        launched.stop()


@pytest.fixture(scope="module")
def prometheus(server: Launched, elsewhere: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus with our rules that scrapes both every second; its address."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not here: install Debian's package `prometheus`")
    folder, address = tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{free_ports(1)[0]}"
    assert main(["rules", "--tasks", *TASKS, "--out", str(folder / "rules.yaml")]) == 0
    jobs = {"fovea": server.endpoint["metrics"], "elsewhere": elsewhere}
    scrapes = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in jobs.items()]
    document = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": scrapes,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(document))
    words = (f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data")
    with (folder / "log").open("w") as log:
        command = [program, *words, f"--web.listen-address={address}"]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        await_answer(f"http://{address}/-/ready", process, folder / "log", timeout_s=30)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def watched(prometheus: str, server: Launched, release: Release) -> str:
    """The address of Prometheus after every task was asked for a while, for pictures and for what is none."""
    until_s = time.monotonic() + LOAD_S
    pictures = {name: read_held_out(release.models[name], task)[0].image for name, task in TASKS.items()}
    with Client(server.grpc, timeout_s=30) as client:
        ways = {
            name: partial(client.classify if task.kind is Kind.CLASSIFICATION else client.segment, task=name)
            for name, task in TASKS.items()
        }
        while time.monotonic() < until_s:
            for name, ask in ways.items():
                ask(pictures[name])
            with pytest.raises(FoveaError):
                ways["vessels"](b"no picture")
    time.sleep(7)
    return prometheus


def alert_states(address: str) -> dict[str, str]:
    alerts = json.loads(get(f"http://{address}/api/v1/alerts"))["data"]["alerts"]
    return {alert["labels"]["alertname"]: alert["state"] for alert in alerts}


def ask_prometheus(address: str, expression: str) -> list[float]:
    text = expression.replace("$__rate_interval", WINDOW).replace("$namespace", "").replace("$price", "7.2")
    for name in ("$pods", "$task", "$deployments"):
        text = text.replace(name, ".*")
    answer = json.loads(get(f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': text})}"))
    assert answer["status"] == "success"
    return [float(series["value"][1]) for series in answer["data"]["result"]]


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=[f"{board.uid}: {panel.title}" for board, panel in PANELS])
def test_every_query_returns_data(watched: str, board: Board, panel: Panel) -> None:
    for query in panel.queries:
        values = ask_prometheus(watched, query.expression)
        assert any(math.isfinite(value) for value in values), query.expression


def test_what_is_counted_is_what_was_sent(watched: str) -> None:
    assert sum(ask_prometheus(watched, 'fovea_rejected_total{task="vessels",reason="not_an_image"}')) >= 1
    assert sum(ask_prometheus(watched, 'fovea_rejected_total{reason!="not_an_image"}')) == 0
    for name in TASKS:
        seen = sum(ask_prometheus(watched, f'fovea_request_seconds_count{{task="{name}"}}'))
        answered = sum(ask_prometheus(watched, f'nv_inference_request_success{{model="{name}"}}'))
        assert seen == answered >= 1


def cost_query(title: str) -> str:
    """The query of a panel of the cost dashboard."""
    (query, *_) = next(panel for panel in COST.panels if panel.title == title).queries
    return query.expression


def a_second(title: str) -> str:
    """What such a panel says of a thousand images, by task, as a second of them."""
    return f"({cost_query(title)}) * on (task) ({cost_query('Images')}) / 1000"


def test_what_tasks_cost_is_what_the_servers_cost(watched: str) -> None:
    """At 7.2 an hour: a server costs 0.002 a second, whatever it does and for whom."""
    spent = ask_prometheus(watched, a_second("Cost of 1,000 images"))
    assert len(spent) >= len(TASKS)
    (an_hour,) = ask_prometheus(watched, cost_query("Cost of an hour"))
    assert an_hour >= 7.2
    assert sum(spent) == pytest.approx(an_hour / 3600, rel=0.02)


def test_a_batch_is_counted_once_in_gpu_seconds(watched: str) -> None:
    """The planted network takes a second for each of 40 requests in 10 batches: a fortieth of a second a batch.

    Beside a rate of the same counters: in the first half minute Prometheus takes rates for lower than they are.
    """
    batches = "sum(rate(nv_inference_exec_count{gpu_uuid='GPU-1'}[$__rate_interval]))"
    (seconds,) = ask_prometheus(watched, f"sum({a_second('GPU seconds for 1,000 images')}) / {batches}")
    assert seconds == pytest.approx(1 / 40, rel=0.02)


@pytest.mark.parametrize("rule", ["fovea:slow_ratio:rate5m", "fovea:refused_ratio:rate15m", "fovea:pending_requests"])
def test_rules_record(watched: str, rule: str) -> None:
    deadline_s = time.monotonic() + 45
    while not ask_prometheus(watched, rule):
        assert time.monotonic() < deadline_s, f"{rule} is recorded every half minute"
        time.sleep(1)


def test_the_planted_drift_alerts_and_nothing_says_the_server_is_down(watched: str) -> None:
    deadline_s = time.monotonic() + 30
    while (states := alert_states(watched)).get("FoveaDrift") != "firing":
        assert time.monotonic() < deadline_s, states
        time.sleep(0.5)
    assert "FoveaDown" not in states
    assert "FoveaModelNotReady" not in states
