import numpy as np
import pytest

from loadtests.answers import fault_in

PLANE = np.zeros((4, 5), np.uint8)


def test_a_right_answer_has_no_fault() -> None:
    assert fault_in({"mask": PLANE, "probability": PLANE}) is None


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        ({"probability": PLANE}, "'mask' is missing"),
        ({"mask": PLANE}, "'probability' is missing"),
        ({"mask": PLANE.astype(np.float32), "probability": PLANE}, "'mask' is float32, not uint8"),
        ({"mask": PLANE[None], "probability": PLANE}, "'mask' has shape [1, 4, 5]"),
        ({"mask": PLANE[:0], "probability": PLANE[:0]}, "'mask' has shape [0, 5]"),
        ({"mask": PLANE, "probability": PLANE.T}, "differ in shape"),
    ],
)
def test_a_wrong_answer_is_named(outputs, fault: str) -> None:
    sentence = fault_in(outputs)
    assert sentence is not None
    assert fault in sentence
