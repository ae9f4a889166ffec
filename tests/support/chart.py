"""The Helm chart as its tests use it: the binaries where they are, and a render as Python objects."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm-chart"
# Where tests/cluster/build puts what it compiles.
BUILT = Path.home() / ".cache" / "fovea-cluster" / "bin"
BASE = CHART / "tests" / "values" / "base.yaml"
HERE = ROOT / "tests" / "helm-chart"
GOLDEN = HERE / "golden"
# By name: the values files, the chart's own first.
REALISTIC = {
    "gpu": [CHART / "values-gpu.yaml", HERE / "values" / "gpu.yaml"],
    "cpu": [CHART / "values-cpu.yaml", HERE / "values" / "cpu.yaml"],
    "keda": [CHART / "values-gpu.yaml", HERE / "values" / "keda.yaml"],
}


def tool(name: str) -> str:
    """Return the path of a program; skip the test where it is not."""
    found = shutil.which(name) or shutil.which(name, path=str(BUILT))
    if found is None:
        pytest.skip(f"{name} is not here: put it into PATH or into {BUILT}, as tests/cluster/build does")
    return found


def run(*words: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; nothing is raised."""
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=timeout_s, check=False)


def helm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm to its end; nothing is raised."""
    return run(tool("helm"), *words)


def template(*words: str | Path, values: Sequence[Path] = (BASE,)) -> str:
    """Return the chart rendered as release `eye` in namespace `clinic`; a render that fails fails the test."""
    files = [word for path in values for word in ("--values", str(path))]
    result = helm("template", "eye", CHART, "--namespace", "clinic", *files, *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def objects(text: str) -> list[dict[str, Any]]:
    """Return the manifests of a render."""
    return [document for document in yaml.safe_load_all(text) if document]


def golden_text(values: list[Path]) -> str:
    """Return a render without the files that it carries, of which only the digests count."""
    manifests = objects(template(values=values))
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            named = manifest["data"].items()
            manifest["data"] = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in named}
    return yaml.safe_dump_all(sorted(manifests, key=name_of), sort_keys=False, width=120)


def name_of(manifest: dict[str, Any]) -> tuple[str, str]:
    """Return kind and name."""
    return manifest["kind"], manifest["metadata"]["name"]
