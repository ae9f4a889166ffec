import numpy as np
import pytest
from fovea_client.requests import ModelConfig

from loadtests.answers import contract_of

PLANE = np.zeros((4, 5), np.uint8)
LABEL, SHARES = np.array([2], np.int32), np.array([0.1, 0.2, 0.7], np.float32)


def _contract(*outputs: str):
    return contract_of(ModelConfig("model", {}, outputs))


@pytest.mark.parametrize(
    ("outputs", "right"),
    [
        (("mask", "probability", "server_us"), {"mask": PLANE, "probability": PLANE}),
        (("label", "probability", "server_us"), {"label": LABEL, "probability": SHARES}),
        (("x",), {"x": np.ones(16, np.float32)}),
    ],
)
def test_a_right_answer_has_no_fault_and_only_what_is_judged_is_asked_for(outputs, right) -> None:
    contract = _contract(*outputs)
    assert contract.outputs == tuple(right)
    assert contract.fault_in(right) is None


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
def test_a_wrong_mask_is_named(outputs, fault: str) -> None:
    assert fault in str(_contract("mask", "probability").fault_in(outputs))


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        ({"label": LABEL}, "'probability' is missing"),
        ({"label": LABEL.astype(np.int64), "probability": SHARES}, "'label' is int64 of shape [1]"),
        ({"label": LABEL[None], "probability": SHARES}, "'label' is int32 of shape [1, 1]"),
        ({"label": LABEL, "probability": SHARES[None]}, "'probability' is float32 of shape [1, 3]"),
        ({"label": LABEL, "probability": SHARES[:2]}, "label 2 names none of 2 classes"),
        ({"label": -LABEL, "probability": SHARES}, "label -2 names none"),
    ],
)
def test_a_wrong_label_is_named(outputs, fault: str) -> None:
    assert fault in str(_contract("label", "probability").fault_in(outputs))


def test_any_other_model_must_answer_with_what_it_says_it_has() -> None:
    assert "'x' is missing" in str(_contract("x").fault_in({}))
    assert "empty" in str(_contract("x").fault_in({"x": np.empty(0)}))
