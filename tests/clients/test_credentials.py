"""Who calls and who answers: what is sent, what is refused, and that none of it shows."""

import asyncio
import datetime
import ipaddress
import logging
import traceback
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fovea_client import (
    AccessDeniedError,
    AsyncClient,
    Client,
    Credentials,
    FoveaError,
    InvalidCredentialsError,
    ServerUnavailableError,
    Tls,
)
from fovea_client.transport import GrpcTransport

SECRET = "s3cret-t0ken"  # noqa: S105


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
        self.pem = self._signed(self.name, self.key, authority=True)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """A key and its certificate, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return text, self._signed(subject, key, authority=False)

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("triton.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("value", [Credentials(SECRET), Credentials(restricted={"key": SECRET}), Tls(private_key=b"x")])
def test_nothing_secret_in_a_repr(value: object) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value)
    assert "x" not in repr(Tls(private_key=b"x")).removeprefix("Tls(")


def test_nothing_secret_in_logs_and_errors(server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults["RepositoryIndex"] = (grpc.StatusCode.INTERNAL, "oh")
    with Client(server.address, credentials=Credentials(SECRET, {"key": SECRET})) as client:
        with pytest.raises(FoveaError) as caught:
            client.models()
        text = "".join(traceback.format_exception(caught.value)) + repr(client) + repr(vars(client)) + caplog.text
    assert SECRET not in text
    assert SECRET not in str(vars(caught.value))


def test_headers_arrive_with_every_call(server, picture) -> None:
    with Client(server.address, credentials=Credentials(SECRET, {"Admin-Key": "v"})) as client:
        client.segment(picture)
        client.ready()
    assert len(server.headers) == 4
    for headers in server.headers:
        assert (headers["authorization"], headers["triton-grpc-protocol-admin-key"]) == (f"Bearer {SECRET}", "v")


def test_a_token_that_changes_is_asked_for_every_call(server) -> None:
    tokens = iter("abc")
    with Client(server.address, credentials=Credentials(lambda: next(tokens))) as client:
        client.models()
        client.models()
    assert [headers["authorization"] for headers in server.headers] == ["Bearer a", "Bearer b"]


def test_asyncio_sends_them_too(server) -> None:
    async def main() -> None:
        async with AsyncClient(server.address, credentials=Credentials(SECRET)) as client:
            await client.models()

    asyncio.run(main())
    assert server.headers[0]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("token", [f"{SECRET}\n", "", f"{SECRET}\x00", f"{SECRET}é"])
def test_a_token_that_no_header_holds_is_refused_without_being_told(server, token: str) -> None:
    with pytest.raises(InvalidCredentialsError, match="'authorization' cannot be sent") as caught:
        Credentials(token)
    assert SECRET not in str(caught.value)
    client = Client(server.address, credentials=Credentials(lambda: token))
    with client, pytest.raises(InvalidCredentialsError, match="'authorization' cannot be sent") as caught:
        client.models()
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert server.calls == []


@pytest.mark.parametrize("credentials", [Credentials(SECRET), Credentials(restricted={"key": SECRET})])
def test_nothing_readable_leaves_this_machine_unless_insisted(credentials: Credentials) -> None:
    for open_one in (Client, AsyncClient, GrpcTransport):
        with pytest.raises(InvalidCredentialsError, match="would be readable on the way: use grpcs://"):
            open_one("triton:8001", credentials=credentials)
        with pytest.raises(InvalidCredentialsError):
            open_one("127.0.0.1:1,triton:8001", credentials=credentials)
    Client("grpcs://triton:8001", credentials=credentials).close()
    Client("triton:8001", tls=Tls(), credentials=credentials).close()
    Client("triton:8001", credentials=Credentials(SECRET, allow_plain_text=True)).close()


def test_a_missing_restricted_header_is_no_matter_of_trying_again(server) -> None:
    words = "This protocol is restricted, expecting header 'triton-grpc-protocol-key'"
    server.faults["RepositoryIndex"] = (grpc.StatusCode.UNAVAILABLE, words)
    with Client(server.address) as client, pytest.raises(AccessDeniedError, match="expecting header"):
        client.models()
    assert server.calls == ["RepositoryIndex"]


def test_an_encrypted_call(secure, authority: Authority, tmp_path: Path, picture) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    credentials = grpc.ssl_server_credentials([authority.issue("server")])
    with secure(credentials) as server:
        tls = Tls(root_certificates=tmp_path / "ca.pem")
        with Client(f"grpcs://{server.address}", tls=tls, credentials=Credentials(SECRET)) as client:
            assert client.segment(picture).mask.shape == picture.shape[:2]
        named = f"{server.address},{server.address}"
        with Client(named, tls=Tls(authority.pem, server_name="triton.test")) as client:
            assert client.ready()
        with Client(f"grpcs://{server.address}", timeout_s=2) as client, pytest.raises(ServerUnavailableError):
            client.models()
        with Client(server.address, timeout_s=2) as client, pytest.raises(ServerUnavailableError):
            client.models()


def test_a_client_shows_its_certificate_where_it_is_asked(secure, authority: Authority) -> None:
    credentials = grpc.ssl_server_credentials([authority.issue("server")], authority.pem, require_client_auth=True)
    key, chain = authority.issue("client")
    with secure(credentials) as server:
        with Client(server.address, tls=Tls(authority.pem, chain, key)) as client:
            assert client.ready()
        with Client(server.address, tls=Tls(authority.pem), timeout_s=2) as client:
            assert not client.ready()


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (Tls(Path("nowhere.pem")), r"root_certificates nowhere\.pem cannot be read \(No such file"),
        (Tls(b"no PEM"), "root_certificates is no PEM"),
        (Tls(private_key=b"-----BEGIN PRIVATE KEY-----"), "certificate_chain and private_key together"),
    ],
)
def test_certificates_that_cannot_be_used_are_said(tls: Tls, message: str) -> None:
    with pytest.raises(InvalidCredentialsError, match=message):
        Client("triton:8001", tls=tls)
