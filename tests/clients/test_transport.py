import gc
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import numpy as np
import pytest
from fovea_client import Client, FoveaError, InvalidRequestError, ServerError, encode_png
from fovea_client.requests import (
    ConfigRequest,
    IndexRequest,
    InferRequest,
    ModelStatistics,
    ReadyRequest,
    StatisticsRequest,
)
from fovea_client.transport import GrpcTransport, decoded, encoded
from tritonclient.grpc import service_pb2_grpc as services


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([b"jpeg\x00\x00"]), r"dtype \|S6: pass numbers, or bytes as dtype=object"),
        (np.array(["text"]), "dtype <U4"),
        (np.array([1 + 2j]), "dtype complex128"),
        (np.zeros(2, ">f4"), "dtype >f4"),
        (np.array([b"ok", None], dtype=object), "holds more than bytes"),
        (b"bare", "is a bytes: pass a numpy array"),
    ],
)
def test_arrays_that_would_arrive_changed_are_refused(server, array, message: str) -> None:
    with Client(server.address) as client, pytest.raises(InvalidRequestError, match=message):
        client.infer("vessels", {"image": array})
    assert server.calls == []


def test_bytes_arrive_with_their_trailing_zeros(server, picture: np.ndarray) -> None:
    data = encode_png(picture) + b"\x00\x00"
    transport = GrpcTransport(server.address)
    request = InferRequest("vessels", {"image": np.array([data], dtype=object)}, ["mask"])
    result = transport.send(request, timeout_s=5)
    transport.close()
    assert server.payloads == [data]
    assert (set(result.outputs), result.model_version) == ({"mask"}, "3")


def test_each_transport_has_a_connection_of_its_own(server) -> None:
    transports = [GrpcTransport(server.address) for _ in range(3)]
    assert all(transport.send(ReadyRequest(), timeout_s=5) for transport in transports * 2)
    assert len(server.peers) == 3
    for transport in transports:
        transport.close()


def test_channel_arguments_of_the_caller_win(server) -> None:
    small = GrpcTransport(server.address, channel_args=[("grpc.max_send_message_length", 10)])
    with pytest.raises(Exception, match="larger than max"):
        small.send(InferRequest("vessels", {"image": np.array([bytes(100)], dtype=object)}), timeout_s=5)
    small.close()


def test_closing_twice_and_forgetting_to_close_are_fine(server) -> None:
    transport = GrpcTransport(server.address)
    transport.close()
    transport.close()
    with pytest.raises(InvalidRequestError, match="is closed"):
        transport.send(IndexRequest(), timeout_s=5)
    GrpcTransport(server.address).send(ReadyRequest(), timeout_s=5)
    gc.collect()


def test_closing_under_a_running_call_ends_it(server) -> None:
    server.delays_s["RepositoryIndex"] = 30
    client = Client(server.address, timeout_s=20)
    threading.Timer(0.2, client.close).start()
    started_s = time.monotonic()
    with pytest.raises(InvalidRequestError, match="is closed: open a new one"):
        client.models()
    assert time.monotonic() - started_s < 5


def test_a_channel_that_closes_as_the_call_begins_is_our_error_too(server) -> None:
    transport = GrpcTransport(server.address)
    transport._channel.close()
    with pytest.raises(InvalidRequestError, match="cannot be sent: Cannot invoke RPC on closed channel"):
        transport.send(IndexRequest(), timeout_s=5)
    transport.close()


def test_a_server_that_starts_late_is_found(server) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
    with ThreadPoolExecutor(2) as pool, Client(address, timeout_s=1) as client:
        late = grpc.server(pool)
        services.add_GRPCInferenceServiceServicer_to_server(server, late)
        threading.Timer(0.5, lambda: (late.add_insecure_port(address), late.start())).start()
        client.wait_until_ready(10)
        late.stop(None).wait()


def test_reconnecting_does_not_back_off_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1.5)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        waiting = threading.Thread(target=_wait_in_vain, args=(address, 1.5))
        waiting.start()
        # Ours tries at about 0, 0.1, 0.3 and 0.5 s; by default the third attempt is 2.6 s away.
        for _ in range(4):
            listener.accept()[0].close()
    waiting.join()


def _wait_in_vain(address: str, timeout_s: float) -> None:
    with Client(address, timeout_s=1) as client, pytest.raises(FoveaError):
        client.wait_until_ready(timeout_s)


def test_a_name_that_is_no_text_is_a_wrong_request(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        client.infer("\udcff", {"x": np.zeros(1, np.float32)})


def test_an_encoded_request_arrives_as_the_request_and_its_answer_is_read_alike(server, picture: np.ndarray) -> None:
    payload = np.array([encode_png(picture)], dtype=np.object_)
    request = InferRequest("vessels", {"image": payload}, ("mask",))
    with closing(GrpcTransport(server.address)) as transport:
        plain = transport.send(request, timeout_s=5)
        again = decoded(transport.send(encoded(request, 5), timeout_s=5), "vessels")
    assert server.requests[0] == server.requests[1]
    assert list(again.outputs) == ["mask"]
    np.testing.assert_array_equal(again.outputs["mask"], plain.outputs["mask"])


def test_an_encoded_request_fails_as_the_request_does(server) -> None:
    request = encoded(InferRequest("vessel", {"image": np.array([b""], dtype=np.object_)}), 5)
    with (
        closing(GrpcTransport(server.address)) as transport,
        pytest.raises(FoveaError, match="unknown model: 'vessel'"),
    ):
        transport.send(request, timeout_s=5)


def test_bytes_that_are_no_answer_are_the_servers_failure() -> None:
    with pytest.raises(ServerError, match="model 'vessels': what came back is no answer"):
        decoded(b"\xff\xff", "vessels")


def test_statistics_are_read_by_model(server) -> None:
    with closing(GrpcTransport(server.address)) as transport:
        found = transport.send(StatisticsRequest(), timeout_s=5)
    assert found == [ModelStatistics("vessels", "3", 4, 1, 10, 20, 30, 40, 100)]


def test_a_configuration_names_inputs_and_the_steps_of_an_ensemble(server) -> None:
    with closing(GrpcTransport(server.address)) as transport:
        config = transport.send(ConfigRequest("vessels"), timeout_s=5)
    assert (config.inputs, config.steps) == (("image",), ("vessels_network",))
