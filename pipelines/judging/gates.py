"""The conditions of a promotion as pure functions: each gives a gate that is open or shut, and says why."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipelines.judging.answers import Figures

RESAMPLES = 10_000


@dataclass(frozen=True)
class Margins:
    """How much worse counts as not worse, in units of the figure (Dice, mean IoU, probability of the true class).

    Attributes:
        overall: the lower end of the 95 % interval may be so far below 0.
        a_slice: the mean difference of a slice may be; slices are too small for an interval that proves anything.
        parity: the served and the reference figure may be so far apart, on average over each slice.
    """

    overall: float = 0.01
    a_slice: float = 0.02
    parity: float = 0.002


@dataclass(frozen=True)
class Gate:
    """One condition: its name, whether it is met, and the sentence that says with which figures."""

    name: str
    passed: bool
    said: str

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def paired_interval(differences: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return a 95 % interval of the mean of independent paired differences: of two intervals the wider ends.

    The bootstrap's percentiles (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) are too
    narrow for few differences, Student's t for skewed ones. One difference alone shows nothing: it has no interval.
    """
    values = np.asarray(differences, np.float64)
    if len(values) < 2:
        return -math.inf, math.inf
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
    reach = float(t.ppf(0.975, len(values) - 1)) * values.std(ddof=1) / math.sqrt(len(values))
    return float(np.minimum(low, values.mean() - reach)), float(np.maximum(high, values.mean() + reach))


def quality_gate(champion: Figures, challenger: Figures, subject_of: Mapping[str, str], margin: float) -> Gate:
    """Not worse over all people: the interval of the paired difference ends above the margin.

    Pictures of one person are alike, so each person is one difference, the mean of theirs.
    """
    of_subject: dict[str, list[float]] = {}
    for name in sorted(champion):
        of_subject.setdefault(subject_of[name], []).append(challenger[name] - champion[name])
    differences = [float(np.mean(each)) for each in of_subject.values()]
    low, high = paired_interval(differences)
    # Written so that a NaN shuts the gate.
    passed = low >= -margin
    mean = float(np.mean(differences))
    return Gate(
        "quality",
        passed,
        f"challenger minus champion {mean:+.4f} (95 % {low:+.4f} to {high:+.4f}) over {len(differences)} people; "
        f"the lower end may be {-margin:+.4f}",
    )


def slice_gates(
    champion: Figures, challenger: Figures, slices: Mapping[str, Sequence[str]], margin: float
) -> list[Gate]:
    """Not worse in any slice."""
    gates = []
    for name, members in slices.items():
        difference = float(np.mean([challenger[each] - champion[each] for each in members]))
        said = f"{difference:+.4f} over {len(members)} pictures; {-margin:+.4f} is allowed"
        gates.append(Gate(f"slice {name}", difference >= -margin, said))
    return gates


def parity_gates(reference: Figures, served: Figures, slices: Mapping[str, Sequence[str]], budget: float) -> list[Gate]:
    """Served as the trained network answers, in every slice: an average over all would hide a broken one."""
    gates = []
    for name, members in slices.items():
        apart = float(np.mean([abs(served[each] - reference[each]) for each in members]))
        said = f"served and reference are {apart:.5f} apart over {len(members)} pictures; {budget:.5f} is allowed"
        gates.append(Gate(f"parity {name}", apart <= budget, said))
    return gates


def unseen_gate(trained_on: Sequence[str], frozen: frozenset[str]) -> Gate:
    """The challenger was not trained on anybody of the test set."""
    if not frozen:
        return Gate("test set unseen", False, "the test set names nobody, so nobody can say; freeze a newer model's")
    known = sorted(frozen & set(trained_on))
    said = f"trained on {len(known)} subjects of the test set: {', '.join(known[:5])}" if known else "none is known"
    return Gate("test set unseen", not known, said)


def others_gate(champion: Mapping[str, str], challenger: Mapping[str, str], task: str) -> Gate:
    """Nothing but this task changes: path → SHA-256 of both releases."""
    changed = sorted(
        path
        for path in champion.keys() | challenger.keys()
        if champion.get(path) != challenger.get(path) and _is_of_another(path, task)
    )
    said = f"{', '.join(changed[:3])} would change too" if changed else "no other task's file differs"
    return Gate("other tasks untouched", not changed, said)


def _is_of_another(path: str, task: str) -> bool:
    model, _, below = path.partition("/")
    own = {task, f"{task}_preprocess", f"{task}_network", f"{task}_postprocess"}
    return bool(below) and model not in own
