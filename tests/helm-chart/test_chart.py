"""The chart as Helm and Kubernetes read it: linted, unit-tested, rendered, held to schemas and golden renders."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart import BASE, CHART, GOLDEN, REALISTIC, golden_text, helm, objects, pod_specs, run, template
from programs import tool

every_realistic = pytest.mark.parametrize("name", REALISTIC)
# What values may have that values.yaml does not: Helm's own key, and parts of Kubernetes' objects.
OPTIONAL = {"global", "group", "limits"}
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize("values", [[BASE], *REALISTIC.values()], ids=["base", *REALISTIC])
def test_lints_strictly(values: list[Path]) -> None:
    words = [word for path in values for word in ("--values", path)]
    result = helm("lint", "--strict", CHART, *words)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_its_unit_tests_pass() -> None:
    result = run(tool("helm-unittest"), CHART, timeout_s=240)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_template_has_a_unit_test() -> None:
    suites = "".join(path.read_text() for path in (CHART / "tests").glob("*_test.yaml"))
    templates = [path.relative_to(CHART / "templates").as_posix() for path in (CHART / "templates").rglob("*.yaml")]
    assert templates
    assert [name for name in templates if name not in suites] == []


@every_realistic
def test_renders_as_it_was_looked_at(name: str) -> None:
    golden = GOLDEN / f"{name}.yaml"
    assert golden_text(REALISTIC[name]) == golden.read_text(), "look at the difference, then `make chart-golden`"


@every_realistic
def test_every_pod_passes_restricted(name: str) -> None:
    pods = list(pod_specs(objects(template(values=REALISTIC[name]))))
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == RESTRICTED, container["name"]


@every_realistic
def test_selectors_select_their_own_pods(name: str) -> None:
    for manifest in objects(template(values=REALISTIC[name])):
        if manifest["kind"] == "Deployment":
            wanted = manifest["spec"]["selector"]["matchLabels"]
            assert wanted.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()


@every_realistic
def test_no_secret_is_rendered(name: str) -> None:
    assert not [manifest for manifest in objects(template(values=REALISTIC[name])) if manifest["kind"] == "Secret"]


# What kube-score finds and we want: its name for it, and why.
EXPLAINED = {
    "container-image-pull-policy": "images are named by digest or by a tag that does not move",
    "container-security-context-user-group-id": "1000 is the user of NVIDIA's image",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread better",
    "deployment-replicas": "one dashboard is enough; HPA and KEDA pools have no replicas to read",
}


@every_realistic
def test_kube_score_finds_nothing_unexplained(name: str, tmp_path: Path) -> None:
    program = tool("kube-score")
    (tmp_path / "rendered.yaml").write_text(template(values=REALISTIC[name]))
    ignored = [word for check in EXPLAINED for word in ("--ignore-test", check)]
    # A CPU limit throttles in the middle of a request; requests keep what is promised.
    words = ("score", "--ignore-container-cpu-limit", "--output-format", "ci", *ignored)
    result = run(program, *words, tmp_path / "rendered.yaml")
    assert [line for line in result.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))] == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("drain.exitTimeoutSecond=3", "additional properties 'exitTimeoutSecond' not allowed"),
        ("pools.main.replcas=3", "additional properties 'replcas' not allowed"),
        ("observability.prometheusRule.errorRatio=2", "maximum"),
        ("drain.preStopSeconds=10", "connectionAgeSeconds 20 × 1.1 = 22 + connectionAgeGraceSeconds 5 = 32 s"),
        ("podDisruptionBudget.maxUnavailable=0", "minimum"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(wrong: str, sentence: str) -> None:
    result = helm("template", "eye", CHART, "--values", BASE, "--set", wrong)
    assert result.returncode != 0
    assert sentence in result.stderr


def test_the_notes_tell_the_next_command() -> None:
    words = ("--dry-run=client", "--namespace", "clinic", "--values", BASE)
    result = helm("install", "eye", CHART, *words)
    assert result.returncode == 0, result.stderr
    assert "helm -n clinic test eye" in result.stdout
    assert "kubectl -n clinic rollout status deployment" in result.stdout


def test_the_schema_knows_every_value_and_nothing_else() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert list(disagreements(schema, schema, values, "")) == []


def test_the_readme_is_made_from_the_values() -> None:
    spec = importlib.util.spec_from_file_location("document_values", CHART / "document_values.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["document_values"] = module
    spec.loader.exec_module(module)
    assert (CHART / "README.md").read_text() == module.readme(), "run `make chart-docs`"


def disagreements(schema: dict[str, Any], part: dict[str, Any], values: Any, at: str) -> Iterator[str]:
    """Yield where schema and values differ: a key that one of them has not, and an object that is left open."""
    if reference := part.get("$ref"):
        name = reference.rpartition("/")[2]
        part = schema["definitions"][name]
    known = part.get("properties")
    if known is None or not isinstance(values, dict):
        return
    if part.get("additionalProperties") is not False and at != ".loadTest.slo.load":
        yield f"{at} is open"
    if not values:  # an override, empty by default
        return
    for key in sorted((known.keys() ^ values.keys()) - OPTIONAL):
        yield f"{at}.{key}"
    for key in known.keys() & values.keys():
        yield from disagreements(schema, known[key], values[key], f"{at}.{key}")
