"""Are the answers that come under load the right ones? Every few answers, one is compared with what is expected.

A server that mixes up a batch or runs out of memory can answer fast, in the right form, and wrongly. What is expected
is an expert's mask or label where the caller has one, else what the same server answered before the load (`expected`);
the second finds answers that load changes, not a network that was always wrong.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fovea_client.requests import ModelConfig
from numpy.typing import NDArray

from loadtests.answers import SEGMENTATION, Contract, Outputs, contract_of
from loadtests.expected import Expected

SAMPLES_FILE = "samples.jsonl"
# Sampled requests send one of so many images: each of them is asked once before the load, and kept in memory.
MAX_EXPECTED = 32
# Knuth's multiplicative hash: spreads neighbours evenly, so that sampling keeps no step with the order of the images.
HASH_FACTOR, HASH_SIZE = 2_654_435_761, 2**32


def is_sampled(index: NDArray[np.int64], every: int) -> NDArray[np.bool_]:
    """Which requests are compared: about one in `every`, always the same ones. bool, the shape of `index`."""
    return np.asarray(index.astype(np.uint64) * HASH_FACTOR % HASH_SIZE < HASH_SIZE // every)


def images_to_expect(image: NDArray[np.int32], every: int) -> list[int]:
    """The images that sampled requests send, by number, at most MAX_EXPECTED. `image` is int32 [N], by request."""
    sampled = image[is_sampled(np.arange(image.size, dtype=np.int64), every)]
    return [int(number) for number in dict.fromkeys(sampled.tolist())][:MAX_EXPECTED]


def agreement(expected: NDArray[Any], answered: NDArray[Any], *, masks: bool) -> float:
    """How far an answer is the expected one, 0 to 1.

    Masks: the mean over the classes that are in either of intersection over union (Everingham et al., The PASCAL
    Visual Object Classes Challenge, 2010, section 4.4), so that a mask of nothing but background does not come near 1
    where vessels are thin. Anything else: 1 if all is equal, else 0.
    """
    if expected.shape != answered.shape:
        return 0.0
    if np.array_equal(expected, answered):
        return 1.0
    return _mean_iou(expected, answered) if masks else 0.0


def _mean_iou(expected: NDArray[np.uint8], answered: NDArray[np.uint8]) -> float:
    count = int(max(expected.max(), answered.max())) + 1
    pairs = np.bincount(expected.ravel() * np.intp(count) + answered.ravel(), minlength=count * count)
    confusion = pairs.reshape(count, count)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - confusion.diagonal()
    there = union > 0
    return float((confusion.diagonal()[there] / union[there]).mean())


@dataclass(frozen=True)
class Samples:
    """The comparisons of a run. Arrays of one length: the request's number, int64, and its agreement, 0 to 1."""

    index: NDArray[np.int64]
    agreement: NDArray[np.float64]

    def of(self, requests: NDArray[np.int64]) -> "Samples":
        """Those of these requests only."""
        kept = np.isin(self.index, requests)
        return Samples(self.index[kept], self.agreement[kept])

    def correct_ratio(self, at_least: float) -> float | None:
        """The share, 0 to 1, of compared answers that agree at least so far; None when none was compared."""
        return float((self.agreement >= at_least).mean()) if self.agreement.size else None


NO_SAMPLES = Samples(np.empty(0, np.int64), np.empty(0, np.float64))


class Checker:
    """What a generator asks of each answer: is its form right and, of sampled ones, is it the expected one?

    Each comparison is written below `out` at once; generators may share one file.
    """

    def __init__(self, contract: Contract, expected: Expected, out: Path) -> None:
        self.outputs = contract.outputs
        self._form_fault_in = contract.fault_in
        self._answers = expected.answers
        self._least = expected.agreement if expected.own else 0.0
        self._threshold = HASH_SIZE // expected.sample_every
        self._masks = contract.outputs == SEGMENTATION
        self._descriptor = os.open(out / SAMPLES_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    @classmethod
    def of(cls, config: ModelConfig, out: Path) -> "Checker":
        """For the model of this configuration, with what is expected below `out`, if anything is."""
        return cls(contract_of(config), Expected.load(out), out)

    def fault_in(self, index: int, image: int, outputs: Outputs) -> str | None:
        """What is wrong with the answer to request number `index`, or None."""
        fault = self._form_fault_in(outputs)
        if fault or image not in self._answers or index * HASH_FACTOR % HASH_SIZE >= self._threshold:
            return fault
        name = self.outputs[0]
        found = agreement(self._answers[image], outputs[name], masks=self._masks)
        os.write(self._descriptor, json.dumps({"index": index, "agreement": found}).encode() + b"\n")
        return None if found >= self._least else f"wrong answer: '{name}' is not the expected one"


def read_samples(folder: Path) -> Samples:
    """The comparisons that were written below `folder`; none where there is no file. A torn last line is left out."""
    path = folder / SAMPLES_FILE
    complete = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    found = [json.loads(line) for line in complete.splitlines()]
    return Samples(
        np.array([each["index"] for each in found], np.int64),
        np.array([each["agreement"] for each in found], np.float64),
    )
