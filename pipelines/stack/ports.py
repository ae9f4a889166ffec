"""Ports of 127.0.0.1: the one that was asked for, or the usual one, or a free one where that is taken."""

import argparse
import socket
from collections.abc import Mapping

from pipelines.errors import PipelineError

USUAL = {
    "http": 8000,
    "grpc": 8001,
    "metrics": 8002,
    "mlflow": 5000,
    "prometheus": 9090,
    "exporter": 9100,
    "dashboard": 8501,
}


def choose(asked: Mapping[str, int]) -> dict[str, int]:
    """Return a port for every name in `USUAL`.

    Args:
        asked: ports by name; 0 stands for any free one.

    Raises:
        PipelineError: a port that was asked for is taken or not allowed, or is asked for twice.
    """
    named = [port for port in asked.values() if port]
    if len(set(named)) != len(named):
        raise PipelineError(f"the ports {', '.join(map(str, named))} must differ from each other")
    held: list[socket.socket] = []
    try:
        # Those that were asked for first: no other service may be given one of them.
        order = sorted(USUAL, key=lambda name: not asked.get(name))
        return {name: _port(name, asked, held) for name in order}
    finally:
        for probe in held:
            probe.close()


def _port(name: str, asked: Mapping[str, int], held: list[socket.socket]) -> int:
    wanted = asked.get(name, USUAL[name])
    error = _hold(wanted, held)
    if error and asked.get(name):
        raise PipelineError(f"port {wanted} of 127.0.0.1 cannot be used for {name} ({error}); name another one or 0")
    if error:
        _hold(0, held)
    return int(held[-1].getsockname()[1])


def _hold(port: int, held: list[socket.socket]) -> OSError | OverflowError | None:
    """Keep the port until all are chosen; return what keeps us from it, if anything does."""
    probe = socket.socket()
    # Connections of a server that just stopped linger; they keep nobody from listening.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        probe.listen()
    except (OSError, OverflowError) as error:
        probe.close()
        return error
    held.append(probe)
    return None


def port(text: str) -> tuple[str, int]:
    """Return the name and the number in NAME=NUMBER, for argparse."""
    name, _, number = text.partition("=")
    if name not in USUAL or not number.isdecimal() or int(number) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give NAME=NUMBER, NAME one of {', '.join(USUAL)}")
    return name, int(number)
