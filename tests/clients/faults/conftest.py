"""A server, servers behind proxies, and both clients to ask them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from callers import Caller, LoopThread, OnLoop
from fault_proxy import Behind, FaultProxy
from fovea_client import Client
from kserve import LightTriton, serve

Connect = Callable[..., Caller]


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest, loop_thread: LoopThread) -> Iterator[Connect]:
    """`connect(address, **options)` is a client of either kind, closed at the end."""
    opened: list[Caller] = []

    def open_one(address: str, **options: Any) -> Caller:
        is_async = request.param == "AsyncClient"
        opened.append(OnLoop(loop_thread, address, **options) if is_async else Client(address, **options))
        return opened[-1]

    yield open_one
    for caller in opened:
        caller.close()


@pytest.fixture
def light() -> LightTriton:
    return LightTriton()


@pytest.fixture
def address(light: LightTriton) -> Iterator[str]:
    with serve(light) as address:
        yield address


@pytest.fixture
def three() -> Iterator[list[Behind]]:
    """Three servers, each behind a proxy of its own."""
    with ExitStack() as stack:
        lights = [LightTriton() for _ in range(3)]
        addresses = [stack.enter_context(serve(light)) for light in lights]
        proxies = [stack.enter_context(FaultProxy(address)) for address in addresses]
        yield [Behind(light, proxy) for light, proxy in zip(lights, proxies, strict=True)]
