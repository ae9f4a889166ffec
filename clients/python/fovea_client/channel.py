"""What gRPC is told about a connection: addresses, balancing, reconnecting, TLS. One place for both kinds of channel.

What gRPC does of itself, and what it does not:

- Behind `dns:///` (and any name) it looks up every address, connects to each and sends calls in turn (`round_robin`);
  an address whose connection is down gets none until it is up again.
- It looks the name up again when a connection breaks, not while all is well: a pod that was added by scaling out is
  found at the next break. Start Triton with `--grpc-max-connection-age` (milliseconds) so that connections are renewed
  and new pods are found within that time.
- It can watch `grpc.health.v1.Health/Watch`. Triton answers `Check` only, so gRPC takes a connected server for a
  healthy one and writes a line to stderr for every connection; hence this is asked for only with `health_watch=True`.
  A Triton opens its port after its models are loaded; one that refuses work while it stops is covered by retries.
- A list of addresses is never looked up again: names in it are looked up once, when the connection is made.
"""

import json
import socket
from dataclasses import dataclass, field
from typing import Any

from fovea_client.address import Address
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import InvalidCredentialsError, ServerUnavailableError

Option = tuple[str, int | str]

_OPTIONS: dict[str, int | str] = {
    # The model says how large an image may be; that is checked before sending, and an answer follows the image's size.
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    # Without it gRPC gives every client of one process the same connection: sixteen load-test users would be one.
    "grpc.use_local_subchannel_pool": 1,
    # The default backs off to two minutes, long after a restarted server is ready.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # How long one attempt to connect may hang (20 s by default) before the next address is tried.
    "grpc.min_reconnect_backoff_ms": 5000,
    # A pod that replaces another is looked up again this soon, not after 30 s.
    "grpc.dns_min_time_between_resolutions_ms": 2000,
    # Triton tells a client off that pings an unanswered call more often than every 5 minutes. With it on, Linux also
    # drops a connection whose sent bytes nobody acknowledges for the timeout: that is what finds a dead peer soon.
    "grpc.keepalive_time_ms": 330_000,
    "grpc.keepalive_timeout_ms": 10_000,
    # Retries are counted against one budget here; a DNS record must not add others.
    "grpc.service_config_disable_resolution": 1,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Everything about a connection but the channel itself.

    Attributes:
        address: where.
        tls: how it is encrypted, None for not at all.
        credentials: what is sent with every call.
        options: gRPC channel arguments of the caller, stronger than this module's.
        health_watch: whether gRPC watches the servers' health service.
    """

    address: Address
    tls: Tls | None = None
    credentials: Credentials = field(default_factory=Credentials)
    options: tuple[Option, ...] = ()
    health_watch: bool = False

    def __post_init__(self) -> None:
        plain = self.tls is None and not self.address.loopback
        if plain and not self.credentials.empty and not self.credentials.allow_plain_text:
            raise InvalidCredentialsError(
                f"the token or header for {self.address.text} would be readable on the way: use grpcs:// or tls=, or "
                "say Credentials(..., allow_plain_text=True)"
            )

    def channel(self, grpc_module: Any, target: str) -> Any:
        """A new channel of `grpc` or `grpc.aio` to what `dial_target` returned.

        Raises:
            InvalidCredentialsError: TLS cannot be set up.
        """
        options = list(self._options().items())
        if self.tls is None:
            return grpc_module.insecure_channel(target, options=options)
        return grpc_module.secure_channel(target, self.tls.channel_credentials(), options=options)

    def _options(self) -> dict[str, int | str]:
        own = dict(_OPTIONS)
        own["grpc.service_config"] = json.dumps(_service_config(self.address, self.health_watch))
        if self.address.loopback:
            # gRPC would dial this very machine through a proxy of the environment.
            own["grpc.enable_http_proxy"] = 0
        if self.tls is not None and (name := self._server_name()):
            own["grpc.ssl_target_name_override"] = own["grpc.default_authority"] = name
        return own | dict(self.options)

    def _server_name(self) -> str | None:
        if self.tls is not None and self.tls.server_name:
            return self.tls.server_name
        # The addresses of a list are dialled as numbers, which no certificate names.
        return self.address.endpoints[0][0].strip("[]") if len(self.address.endpoints) > 1 else None


def dial_target(address: Address) -> str:
    """gRPC's name for the address: a list becomes `ipv4:` or `ipv6:` with every address of every name.

    Names in a list are looked up here, which may take a moment; raises ServerUnavailableError for one without address.
    """
    if len(address.endpoints) == 1:
        host, port = address.endpoints[0]
        return f"{'dns:///' if address.looked_up else ''}{host}:{port}"
    found = [_numbers(host.strip("[]")) for host, _ in address.endpoints]
    # gRPC takes one family in a list; a v4 number has a v6 spelling.
    family = "ipv4" if all(":" not in number for numbers in found for number in numbers) else "ipv6"
    ports = [port for _, port in address.endpoints]
    spelled = [_spelled(number, port, family) for numbers, port in zip(found, ports, strict=True) for number in numbers]
    return f"{family}:{','.join(dict.fromkeys(spelled))}"


def _numbers(host: str) -> list[str]:
    """The host's IPv4 numbers, or its IPv6 ones if it has no other."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ServerUnavailableError(f"server {host}: its name has no address ({error}); check the name") from error
    numbers = {family: [str(entry[4][0]) for entry in found if entry[0] == family] for family, *_ in found}
    return numbers.get(socket.AF_INET) or numbers[socket.AF_INET6]


def _spelled(number: str, port: int, family: str) -> str:
    if family == "ipv4":
        return f"{number}:{port}"
    return f"[{number}]:{port}" if ":" in number else f"[::ffff:{number}]:{port}"


def _service_config(address: Address, health_watch: bool) -> dict[str, object]:
    # One machine under two numbers, 127.0.0.1 and ::1, is no pair of servers.
    single = address.loopback and len(address.endpoints) == 1
    balancing: dict[str, object] = {"loadBalancingConfig": [{"pick_first" if single else "round_robin": {}}]}
    return balancing | ({"healthCheckConfig": {"serviceName": ""}} if health_watch else {})
