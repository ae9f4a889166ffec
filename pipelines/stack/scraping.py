"""Prometheus' folder: the configuration that containers use as well, rules for what is served, and the targets."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from pipelines.errors import PipelineError
from pipelines.stack.services import StackOptions
from pipelines.stages import run_stage

CONFIGURATION = Path(__file__).parents[2] / "docker" / "prometheus" / "prometheus.yaml"
# The job's targets are a file of its name beside the configuration.
_JOBS = {"fovea": "metrics", "drift": "exporter"}


def write_scraping(options: StackOptions, ports: Mapping[str, int], console: Console) -> None:
    """Write configuration, targets and rules below `<build>/stack/prometheus`.

    Raises:
        PipelineError: the release cannot be read, or something cannot be written.
    """
    folder = options.folder / "prometheus"
    words = ["rules", "--tasks", *tasks_of(options.build / "model_repository"), "--out", str(folder / "rules.yaml")]
    run_stage(console, "rules", "monitoring", words)
    try:
        (folder / "targets").mkdir(exist_ok=True)
        shutil.copyfile(CONFIGURATION, folder / "prometheus.yaml")
        for job, port in _JOBS.items():
            targets = [{"targets": [f"127.0.0.1:{ports[port]}"]}]
            (folder / "targets" / f"{job}.yaml").write_text(json.dumps(targets) + "\n")  # JSON is YAML
    except OSError as error:
        raise PipelineError(f"Prometheus' configuration cannot be written ({error}); name another --build") from error


def tasks_of(release: Path) -> Sequence[str]:
    """Return the tasks of a placed release.

    Raises:
        PipelineError: it does not say.
    """
    try:
        return sorted(json.loads((release / "provenance.json").read_text())["tasks"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{release} is no placed release ({error}); place one with `python -m export`") from error
