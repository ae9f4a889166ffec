"""The Helm chart as its tests use it: the binaries where they are, and a render as Python objects."""

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from programs import tool

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm-chart"
BASE = CHART / "tests" / "values" / "base.yaml"
HERE = ROOT / "tests" / "helm-chart"
GOLDEN = HERE / "golden"
# By name: the values files, the chart's own first.
REALISTIC = {
    "gpu": [CHART / "values-gpu.yaml", HERE / "values" / "gpu.yaml"],
    "cpu": [CHART / "values-cpu.yaml", HERE / "values" / "cpu.yaml"],
    "keda": [CHART / "values-gpu.yaml", HERE / "values" / "keda.yaml"],
}


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


def pod_specs(manifests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the pods that the manifests lead to."""
    for manifest in manifests:
        spec = manifest.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec and "spec" in spec["template"]:
            yield spec["template"]["spec"]
