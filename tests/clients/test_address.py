import pytest
from fovea_client import Client, InvalidUrlError, ServerUnavailableError
from fovea_client.address import Address, is_loopback, parse_address
from fovea_client.channel import dial_target


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("localhost:8001", "localhost:8001"),
        ("grpc://triton.prod.svc:8001", "triton.prod.svc:8001"),
        ("grpc://10.0.0.1:9/", "10.0.0.1:9"),
        ("[::1]:8001", "[::1]:8001"),
        (" localhost:65535\n", "localhost:65535"),
        ("grpcs://triton:8001/", "grpcs://triton:8001"),
        ("dns:///headless.prod.svc:8001", "dns:///headless.prod.svc:8001"),
        ("grpcs://dns:///headless:8001", "grpcs://dns:///headless:8001"),
        ("a:1, b:2,[::1]:3", "a:1,b:2,[::1]:3"),
    ],
)
def test_accepted(url: str, address: str) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "localhost:",
        ":8001",
        "localhost:0",
        "localhost:65536",
        "a:b:8001",
        "a:8001/v2",
        "a b:1",
        "a:1,",
        "a:1,b",
    ],
)
def test_refused_with_the_form_that_would_do(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="is not host:port; write for example localhost:8001"):
        parse_address(url)


@pytest.mark.parametrize("url", ["http://localhost:8000", "https://localhost:8001"])
def test_another_scheme_is_named(url: str) -> None:
    with pytest.raises(InvalidUrlError, match=f"plain gRPC, not {url.split(':', maxsplit=1)[0]}"):
        Client(url)


LOOPBACK = {
    "127.0.0.1:1": True,
    "localhost:1": True,
    "[::1]:1": True,
    "127.0.0.1:1,localhost:2": True,
    "10.0.0.1:1": False,
    "triton:8001": False,
    "127.0.0.1:1,triton:2": False,
    "dns:///localhost:1": False,
}


@pytest.mark.parametrize("address", LOOPBACK)
def test_an_address_survives_being_parsed_again(address: str) -> None:
    assert parse_address(parse_address(address)) == parse_address(address)


def test_a_looked_up_name_is_one() -> None:
    with pytest.raises(InvalidUrlError, match=r"dns:/// takes one name"):
        parse_address("dns:///a:1,b:2")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("triton:8001", "triton:8001"),
        ("dns:///triton:8001", "dns:///triton:8001"),
        ("grpcs://triton:8001", "triton:8001"),
        ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("10.0.0.1:1,10.0.0.1:1", "ipv4:10.0.0.1:1"),
        ("[::1]:1,[fe80::1]:2", "ipv6:[::1]:1,[fe80::1]:2"),
        ("10.0.0.1:1,[::1]:2", "ipv6:[::ffff:10.0.0.1]:1,[::1]:2"),
        ("localhost:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
    ],
)
def test_what_grpc_dials(url: str, target: str) -> None:
    assert dial_target(Address.parse(url)) == target


def test_a_name_without_an_address_is_said() -> None:
    with pytest.raises(ServerUnavailableError, match=r"server nowhere\.invalid: its name has no address"):
        Client("127.0.0.1:1,nowhere.invalid:2")


@pytest.mark.parametrize(("address", "expected"), LOOPBACK.items())
def test_loopback_is_recognised(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
