"""Many pictures through servers in trouble: in order, each with its own answer or its own error, no further ahead."""

from collections.abc import Iterator

import pytest
from fault_proxy import Behind, Fault
from fovea_client import FoveaError, Retry
from kserve import level

IMAGES = [f"picture {index}".encode() for index in range(200)]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_CLOSE, Fault.WRONG_BYTES, Fault.GOAWAY])
def test_order_and_answers_survive_faults(connect, three: list[Behind], fault: Fault) -> None:
    caller = connect(",".join(behind.proxy.address for behind in three), timeout_s=5.0)
    caller.wait_until_ready(5)
    seen = []
    for outcome in caller.segment_many(IMAGES, task="vessels", in_flight=8):
        three[0].proxy.fault = fault if 50 <= outcome.index < 150 else Fault.NONE
        assert outcome.error is None
        assert (outcome.result.probability == level(IMAGES[outcome.index])).all()
        seen.append(outcome.index)
    assert seen == list(range(len(IMAGES)))


def test_one_failure_does_not_lose_the_others(connect, three: list[Behind]) -> None:
    """All that is in flight when the only server breaks fails; what comes after it is back does not."""
    caller = connect(three[0].proxy.address, timeout_s=5.0, retry=Retry.none())
    outcomes = []
    for outcome in caller.segment_many(_breaking(three[0]), task="vessels", in_flight=4):
        assert (outcome.result is None) == isinstance(outcome.error, FoveaError)
        outcomes.append(outcome)
    assert [outcome.index for outcome in outcomes] == list(range(100))
    failed = [outcome.index for outcome in outcomes if outcome.error]
    assert failed
    assert not outcomes[0].error
    assert not outcomes[-1].error
    assert all(
        (outcome.result.probability == level(IMAGES[outcome.index])).all() for outcome in outcomes if outcome.result
    )


def _breaking(behind: Behind) -> Iterator[bytes]:
    for index in range(100):
        behind.proxy.fault = Fault.GOAWAY if 40 <= index < 45 else Fault.NONE
        yield IMAGES[index]


def test_the_source_is_read_no_further_than_is_in_flight(connect, three: list[Behind]) -> None:
    read = 0

    def source() -> Iterator[bytes]:
        nonlocal read
        for image in IMAGES:
            read += 1
            yield image

    caller = connect(three[0].proxy.address, timeout_s=1.0, retry=Retry.none())
    for outcome in caller.segment_many(source(), task="vessels", in_flight=8):
        assert read <= outcome.index + 1 + 8
        if outcome.index == 20:
            three[0].proxy.fault = Fault.BLACK_HOLE
        if outcome.index == 40:
            break
    assert read <= 41 + 8
