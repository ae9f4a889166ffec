"""The file of objectives: which load to apply and what must hold under it.

Only the file's shape is known here; judging a run by it is `verdict`'s part.
"""

import difflib
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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LoadProfile(_Section):
    """The load under which the objectives must hold: `duration_s` is measured, after `warm_up_s` that is not."""

    rate_rps: Positive
    duration_s: Positive
    warm_up_s: NotNegative
    arrivals: Spacing


class Objectives(_Section):
    """Limits in the unit of their name. A latency or rate that is left out is not judged; the other two always are.

    `generator_lag_p99_ms` is about the load generator: over it the run is invalid, not failed.
    """

    p50_ms: Positive | None = None
    p95_ms: Positive | None = None
    p99_ms: Positive | None = None
    error_ratio: Ratio
    achieved_rate_ratio: Ratio | None = None
    generator_lag_p99_ms: Positive

    @model_validator(mode="after")
    def _latencies_ascend(self) -> "Objectives":
        limits = [limit for limit in (self.p50_ms, self.p95_ms, self.p99_ms) if limit is not None]
        if limits != sorted(limits):
            raise ValueError("the limits must not fall from p50_ms over p95_ms to p99_ms")
        return self


class Slo(_Section):
    """A whole file of objectives."""

    load: LoadProfile
    objectives: Objectives


def read_slo(path: Path) -> Slo:
    """The objectives in a YAML file. Raises InvalidObjectivesError, naming the file and the first key that is wrong."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidObjectivesError(
            f"{path} cannot be read ({error.strerror}): give --slo a file of objectives."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidObjectivesError(f"{path} is not YAML: {_one_line(error)}.") from None
    try:
        return Slo.model_validate(document)
    except ValidationError as error:
        raise InvalidObjectivesError(f"{path}: {_explain(error.errors()[0])}.") from None


def _explain(detail: ErrorDetails) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "the file"
    if detail["type"] == "extra_forbidden":
        return f"{key} is no known key{_suggestion(detail['loc'])}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    got = "" if detail["type"] == "value_error" else f", got {detail['input']!r}"
    return f"{key}: {_lower_first(detail['msg'])}{got}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    sections: dict[str, type[BaseModel]] = {"load": LoadProfile, "objectives": Objectives}
    section = sections.get(str(location[0]), Slo) if len(location) > 1 else Slo
    close = difflib.get_close_matches(str(location[-1]), section.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else f" (known: {', '.join(section.model_fields)})"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _one_line(error: Any) -> str:
    return " ".join(str(error).split())
