"""The push, against a gateway that is an HTTP server of this process."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loadtests.prometheus import push

Pushed = list[tuple[str, str, str]]


class Gateway(HTTPServer):
    """Keeps what is pushed, as (method, path, text); answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pushed: Pushed = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_PUT(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.pushed.append((self.command, self.path, text))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_figures_arrive_grouped_by_task_and_profile(gateway: Gateway, make_rows, make_result) -> None:
    result = make_result(make_rows(latencies_ms=(600,), errors=(None,) * 19 + ("unavailable",)))
    assert push(result, gateway.url) is None
    ((method, path, text),) = gateway.pushed
    assert (method, path) == ("PUT", "/metrics/job/fovea_loadtest/profile/cpu/task/vessels")
    lines = set(text.splitlines())
    assert 'fovea_loadtest_latency_seconds{quantile="0.99"} 0.6' in lines
    assert 'fovea_loadtest_latency_seconds{quantile="1"} 0.6' in lines
    assert 'fovea_loadtest_requests{kind="failed"} 10.0' in lines
    assert 'fovea_loadtest_objective_met{objective="p50_ms"} 0.0' in lines
    assert 'fovea_loadtest_objective_met{objective="p95_ms"} 1.0' in lines
    assert 'fovea_loadtest_verdict{verdict="missed"} 1.0' in lines


def test_a_run_without_figures_is_pushed_as_invalid(gateway: Gateway, make_rows, make_result) -> None:
    assert push(make_result(make_rows()[:5]), gateway.url) is None
    assert 'fovea_loadtest_verdict{verdict="invalid"} 1.0' in gateway.pushed[0][2]


def test_a_gateway_that_refuses_is_one_sentence(gateway: Gateway, make_rows, make_result) -> None:
    gateway.status = 503
    sentence = push(make_result(make_rows()), gateway.url)
    assert "were not pushed to 127.0.0.1: HTTP Error 503" in str(sentence)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://x", "gateway:9091", "http://", "http://[x"])
def test_a_gateway_that_is_not_there_is_one_sentence(make_rows, make_result, url: str) -> None:
    sentence = push(make_result(make_rows()), url)
    assert str(sentence).startswith("The figures were not pushed")
    assert "\n" not in str(sentence)


def test_a_password_in_the_address_is_not_repeated(make_rows, make_result) -> None:
    assert "secret" not in str(push(make_result(make_rows()), "http://me:secret@127.0.0.1:9"))
