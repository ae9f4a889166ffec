"""Open, use and close a client again and again; print what the process holds before and after, and the failures.

A process of its own, so that what a server and other tests hold is not counted:
`python open_close.py Client|AsyncClient ADDRESS CYCLES TIMEOUT_S`.
"""

import asyncio
import gc
import json
import os
import sys
import time

import grpc
from fovea_client import AsyncClient, Client, FoveaError

_WARM_UP = 20
_SETTLE_S = 15.0


def held() -> dict[str, int]:
    """Open file descriptors, threads of any kind, and gRPC channels that are still objects."""
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208
        "channels": sum(isinstance(thing, grpc.Channel | grpc.aio.Channel) for thing in gc.get_objects()),
    }


def settled(before: dict[str, int]) -> dict[str, int]:
    """What is held once gRPC's own threads have gone to rest, or after a while if they do not."""
    end_s = time.monotonic() + _SETTLE_S
    while any((now := held())[key] > count for key, count in before.items()) and time.monotonic() < end_s:
        time.sleep(0.1)
    return now


def cycle(address: str, timeout_s: float) -> bool:
    """Whether the call of this client's life failed."""
    try:
        with Client(address, timeout_s=timeout_s) as client:
            client.segment(b"eye")
    except FoveaError:
        return True
    return False


async def cycle_async(address: str, timeout_s: float) -> bool:
    """The same without blocking."""
    try:
        async with AsyncClient(address, timeout_s=timeout_s) as client:
            await client.segment(b"eye")
    except FoveaError:
        return True
    return False


def repeat(kind: str, address: str, cycles: int, timeout_s: float) -> int:
    """How many cycles failed; the asynchronous ones share one event loop."""
    if kind == "Client":
        return sum(cycle(address, timeout_s) for _ in range(cycles))

    async def run() -> int:
        return sum([await cycle_async(address, timeout_s) for _ in range(cycles)])

    return asyncio.run(run())


def main(kind: str, address: str, cycles: str, timeout_s: str) -> None:
    """Print three lines: held before, held after, failures."""
    repeat(kind, address, _WARM_UP, float(timeout_s))
    before = held()
    failures = repeat(kind, address, int(cycles), float(timeout_s))
    after = settled(before)
    print(json.dumps(before), json.dumps(after), failures, sep="\n")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
