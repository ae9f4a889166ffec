"""One page about one run: what was trained, whether it is served unchanged, and how fast it answers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pipelines.errors import PipelineError
from pipelines.plots import latency_distribution, training_curve


def write_report(build: Path, times_s: Mapping[str, float]) -> Path:
    """Write `<build>/report/index.html` from what the stages left below `build` and return its path.

    Raises:
        PipelineError: a stage's result is missing.
    """
    folder = build / "report"
    model = build / "training" / "vessels"
    load = _read(build / "loadtest" / "summary.json")
    context = {
        "card": _read(model / "model.json"),
        "evaluation": _read(model / "evaluation.json"),
        "provenance": _read(build / "model_repository" / "provenance.json"),
        "release": (build / "model_repository").resolve().name,
        "served": _read(folder / "served.json"),
        "load": load,
        "curve": training_curve(_read(model / "history.json")),
        "latency": latency_distribution(load["distribution_ms"], load["latency_ms"]),
        "times_s": times_s,
        "links": {
            "load-test report": os.path.relpath(build / "loadtest" / "report.html", folder),
            "load-test JUnit": os.path.relpath(build / "loadtest" / "junit.xml", folder),
            "provenance": os.path.relpath(build / "model_repository" / "provenance.json", folder),
            "Triton's log": os.path.relpath(build / "serving" / "triton.log", folder),
        },
    }
    environment = Environment(
        loader=PackageLoader("pipelines", "."), autoescape=select_autoescape(["j2"]), undefined=StrictUndefined
    )
    page = folder / "index.html"
    page.write_text(environment.get_template("report.html.j2").render(context))
    return page


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PipelineError(f"the report needs {path}, which cannot be read ({error}); run the stage again") from error
