"""Several addresses, retries and hedges on a wire: calls are spread, and one bad server costs no call."""

import time

import numpy as np
import pytest
from fovea_client import Client, InvalidRequestError, Retry, ServerUnavailableError
from grpc import StatusCode

DRAINING = (StatusCode.UNAVAILABLE, "Server is stopping, scheduling new requests is not allowed")


def _inferences(servers) -> list[int]:
    return [server.calls.count("ModelInfer") for server in servers]


@pytest.fixture
def urls(servers) -> str:
    return ",".join(server.address for server in servers)


def test_calls_go_to_every_address_in_turn(servers, urls: str, picture: np.ndarray) -> None:
    with Client(urls) as client:
        client.segment(picture)
        _connected(servers, client, picture)
        before = _inferences(servers)
        for _ in range(12):
            client.segment(picture)
    assert [after - earlier for after, earlier in zip(_inferences(servers), before, strict=True)] == [4, 4, 4]


def test_a_server_that_refuses_work_costs_no_call(servers, urls: str, picture: np.ndarray) -> None:
    servers[0].faults["ModelInfer"] = DRAINING
    with Client(urls) as client:
        for _ in range(30):
            client.segment(picture)
    assert servers[0].calls.count("ModelInfer") > 0


def test_a_port_where_nobody_listens_costs_no_call(servers, urls: str, picture: np.ndarray) -> None:
    with Client(f"127.0.0.1:1,{urls}", retry=Retry.none()) as client:
        for _ in range(10):
            client.segment(picture)


def test_a_hedge_goes_to_another_server(servers, urls: str, picture: np.ndarray) -> None:
    with Client(urls, hedge_after_s=0.1) as client:
        _connected(servers, client, picture)
        servers[0].delays_s["ModelInfer"] = 20
        started_s = time.monotonic()
        for _ in range(6):
            client.segment(picture)
        assert time.monotonic() - started_s < 2


def test_hedging_needs_a_transport_that_can(picture: np.ndarray) -> None:
    class One:
        def send(self, request, *, timeout_s, headers=()): ...

        def close(self) -> None: ...

    client = Client("a:1", transport=One(), hedge_after_s=1)
    with pytest.raises(InvalidRequestError, match="leave hedge_after_s out"):
        client.infer("vessels", {})


def test_closing_ends_a_pause(server, picture: np.ndarray) -> None:
    import threading

    server.faults["ModelInfer"] = DRAINING
    client = Client(server.address, retry=Retry(initial_s=20, maximum_s=20, jitter=0), timeout_s=30)
    threading.Timer(0.4, client.close).start()
    started_s = time.monotonic()
    with pytest.raises(InvalidRequestError, match="is closed"):
        client.segment(picture)
    assert time.monotonic() - started_s < 2


@pytest.mark.timing
def test_what_fails_for_long_raises_its_own_error_in_time(server, picture: np.ndarray) -> None:
    server.faults["ModelInfer"] = DRAINING
    with Client(server.address, timeout_s=0.5, retry=Retry(attempts=1000, burst=1000)) as client:
        started_s = time.monotonic()
        with pytest.raises(ServerUnavailableError, match="Server is stopping"):
            client.segment(picture)
        assert time.monotonic() - started_s < 0.6
    assert server.calls.count("ModelInfer") > 3


def test_the_deadline_travels_with_the_request(server, client: Client, picture: np.ndarray) -> None:
    client.segment(picture, timeout_s=3)
    # gRPC writes a deadline in hundredths of a second, rounded up.
    assert 2 < server.timeouts_s[-1] <= 3.01
    assert 2_000_000 < server.requests[-1].parameters["timeout"].int64_param <= 3_000_000


def _connected(servers, client: Client, picture: np.ndarray) -> None:
    """Return once each has answered: connections are made while calls go on."""
    end_s = time.monotonic() + 5
    while not all(_inferences(servers)) and time.monotonic() < end_s:
        client.segment(picture)
