import pytest
from fovea_client import Client, InvalidUrlError
from fovea_client.address import is_loopback, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("localhost:8001", "localhost:8001"),
        ("grpc://triton.prod.svc:8001", "triton.prod.svc:8001"),
        ("grpc://10.0.0.1:9/", "10.0.0.1:9"),
        ("[::1]:8001", "[::1]:8001"),
        (" localhost:65535\n", "localhost:65535"),
    ],
)
def test_accepted(url: str, address: str) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url", ["", "localhost", "localhost:", ":8001", "localhost:0", "localhost:65536", "a:b:8001", "a:8001/v2", "a b:1"]
)
def test_refused_with_the_form_that_would_do(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="is not host:port; write for example localhost:8001"):
        parse_address(url)


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://localhost:8001"])
def test_another_scheme_is_named(url: str) -> None:
    with pytest.raises(InvalidUrlError, match=f"plain gRPC, not {url.split(':', maxsplit=1)[0]}"):
        Client(url)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("10.0.0.1:1", False), ("triton:8001", False)],
)
def test_loopback_is_recognised(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
