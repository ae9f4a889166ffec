"""The file of objectives: which load to apply and what must hold under it, for every task or for one.

Only the file's shape is known here; judging a run by it is `verdict`'s part.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from loadtests.arrivals import Spacing
from loadtests.errors import InvalidObjectivesError

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]
QUANTILE_KEY = re.compile(r"(p\d{1,2}(?:\.\d{1,3})?)_ms")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LoadProfile(_Section):
    """The load under which the objectives must hold: `duration_s` is measured, after `warm_up_s` that is not."""

    rate_rps: Positive
    duration_s: Positive
    warm_up_s: NotNegative
    arrivals: Spacing


class Objectives(_Section):
    """Limits in the unit of their name. What is left out is not judged; errors and the generator's lag always are.

    The file says `p95_ms: 700`, `p99.9_ms: 2000`, any quantile; here they are `latency_ms["p95"]`. The `generator_`
    limits are about the load generator: over one of them the run is invalid, not failed.
    """

    latency_ms: Mapping[str, Positive] = {}
    error_ratio: Ratio
    achieved_rate_ratio: Ratio | None = None
    correct_ratio: Ratio | None = None
    generator_lag_p99_ms: Positive
    generator_cpu_ratio: Ratio | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather_quantiles(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "latency_ms" in values:
            return values
        limits = {match[1]: key for key in values if (match := QUANTILE_KEY.fullmatch(str(key)))}
        others = {key: value for key, value in values.items() if key not in limits.values()}
        return {**others, "latency_ms": {name: values[key] for name, key in limits.items()}}

    @model_validator(mode="after")
    def _latencies_ascend(self) -> "Objectives":
        names = sorted(self.latency_ms, key=quantile_of)
        limits = [self.latency_ms[name] for name in names]
        if limits != sorted(limits):
            raise ValueError(f"the limits must not fall from {names[0]}_ms to {names[-1]}_ms")
        return self

    @property
    def quantiles(self) -> dict[str, float]:
        """The quantiles that have a limit, 0 to 1, by name."""
        return {name: quantile_of(name) for name in self.latency_ms}


class Correctness(_Section):
    """Which answers are compared with the expected ones: about one in `sample_every`.

    One is correct when it agrees at least so far, 0 to 1, see `correctness.agreement`.
    """

    sample_every: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    agreement: Ratio = 0.98


class Slo(_Section):
    """A whole file of objectives, for one task."""

    load: LoadProfile
    objectives: Objectives
    correctness: Correctness = Correctness()


def quantile_of(name: str) -> float:
    """0.999 for "p99.9"."""
    return float(name.removeprefix("p")) / 100


def read_slo(path: Path, task: str = "") -> Slo:
    """The objectives of a task in a YAML file: the file's own, with what stands below `tasks.<task>` in their place.

    Every task of the file is checked. Raises InvalidObjectivesError, naming the file and the first key that is wrong.
    """
    document = _read_yaml(path)
    overrides = document.pop("tasks", None) or {} if isinstance(document, dict) else {}
    common = _validate(document, path, "")
    if not isinstance(overrides, dict) or not all(isinstance(each, dict) for each in overrides.values()):
        raise InvalidObjectivesError(f"{path}: tasks: must hold the name of a task, and below it what differs for it.")
    judged = {name: _validate(_merged(document, each), path, f"tasks.{name}.") for name, each in overrides.items()}
    return judged.get(task, common)


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidObjectivesError(
            f"{path} cannot be read ({error.strerror}): give --slo a file of objectives."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidObjectivesError(f"{path} is not YAML: {_one_line(error)}.") from None


def _merged(document: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**document, **overrides}
    for name, section in overrides.items():
        if isinstance(section, dict) and isinstance(document.get(name), dict):
            # `p50_ms:` with nothing behind it: this task has no such limit.
            both = {**document[name], **section}
            merged[name] = {key: value for key, value in both.items() if value is not None}
    return merged


def _validate(document: Any, path: Path, where: str) -> Slo:
    objectives = document.get("objectives") if isinstance(document, dict) else None
    # A name of this module, not of the file: below it any word would pass for a quantile.
    if isinstance(objectives, dict) and "latency_ms" in objectives:
        raise InvalidObjectivesError(f"{path}: {where}objectives.latency_ms is no known key; write p50_ms, p99_ms ….")
    try:
        return Slo.model_validate(document)
    except ValidationError as error:
        raise InvalidObjectivesError(f"{path}: {where}{_explain(error.errors()[0])}.") from None


def _explain(detail: ErrorDetails) -> str:
    location = tuple(part for part in detail["loc"] if part != "latency_ms")
    key = ".".join(str(part) for part in location) or "the file"
    if location != detail["loc"]:
        key += "_ms"
    if detail["type"] == "extra_forbidden":
        return f"{key} is no known key{_suggestion(location)}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    got = "" if detail["type"] == "value_error" else f", got {detail['input']!r}"
    return f"{key}: {_lower_first(detail['msg'])}{got}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    sections: Mapping[str, type[BaseModel]] = {
        "load": LoadProfile,
        "objectives": Objectives,
        "correctness": Correctness,
    }
    section = sections.get(str(location[0]), Slo) if len(location) > 1 else Slo
    known = [name for name in section.model_fields if name != "latency_ms"]
    known += {Objectives: ["p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99.9_ms"], Slo: ["tasks"]}.get(section, [])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(known)})"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _one_line(error: Any) -> str:
    return " ".join(str(error).split())
