"""What the Jenkinsfile expects of Jenkins is in ci/jenkins: credentials, labels, pods, variables."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HERE = ROOT / "ci" / "jenkins"
JENKINSFILE = (ROOT / "Jenkinsfile").read_text()
PODS = sorted(HERE.glob("pod-*.yaml"))
# By the variable that takes it: what its reader wants, a file's path, a word, or _USR and _PSW.
KINDS = {"MLFLOW_TRACKING_TOKEN": "string", "REGISTRY_LOGIN": "usernamePassword", "KUBECONFIG": "file", "SITE": "file"}


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    return dict(yaml.safe_load((HERE / "jenkins.yaml").read_text()))


def credentials(configuration: dict[str, Any]) -> dict[str, str]:
    domain = configuration["credentials"]["system"]["domainCredentials"][0]
    return {entry["id"]: kind for each in domain["credentials"] for kind, entry in each.items()}


def test_credentials_are_configured_as_they_are_used(configuration: dict[str, Any]) -> None:
    used = {name: variable for variable, name in re.findall(r"(\w+) = credentials\('([^']+)'\)", JENKINSFILE)}
    assert credentials(configuration) == {name: KINDS[variable] for name, variable in used.items()}


def test_no_secret_stands_in_the_configuration() -> None:
    text = (HERE / "jenkins.yaml").read_text()
    secrets = re.findall(r"(?:secret|secretBytes|password|username): (\S+)", text)
    assert secrets
    assert all(secret.startswith('"${') for secret in secrets)


def test_labels_are_those_of_the_parameter(configuration: dict[str, Any]) -> None:
    choices = re.search(r"name: 'AGENT', choices: \[([^]]+)\]", JENKINSFILE)
    assert choices is not None
    templates = configuration["jenkins"]["clouds"][0]["kubernetes"]["templates"]
    assert [template["label"] for template in templates] == re.findall(r"'([\w-]+)'", choices[1])
    named = [Path(re.findall(r"readFile:([^}]+)", template["yaml"])[0]).name for template in templates]
    assert all((HERE / name).is_file() for name in named)


def test_variables_that_are_neither_parameter_nor_built_in_are_configured(configuration: dict[str, Any]) -> None:
    properties = configuration["jenkins"]["globalNodeProperties"][0]["envVars"]["env"]
    ours = set(re.findall(r"FOVEA_[A-Z_]+", JENKINSFILE))
    for_make = {"STATE"}
    assert {entry["key"] for entry in properties} == ours | for_make


def test_every_pod_of_the_jenkinsfile_is_there() -> None:
    files = set(re.findall(r"yamlFile '([^']+)'", JENKINSFILE))
    assert files
    assert all((ROOT / name).is_file() for name in files)


@pytest.mark.parametrize("path", PODS, ids=lambda path: path.stem)
def test_a_pod_is_one_agent_without_rights(path: Path) -> None:
    pod = yaml.safe_load(path.read_text())
    spec = pod["spec"]
    assert pod["kind"] == "Pod"
    assert [container["name"] for container in spec["containers"]] == ["jnlp"]  # steps run in that one by themselves
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"].get("runAsNonRoot") or spec["hostUsers"] is False
    assert "privileged" not in path.read_text()
    mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts == {volume["name"] for volume in spec["volumes"]}


def test_only_the_gpu_pod_asks_for_one() -> None:
    assert [path.stem for path in PODS if "nvidia.com/gpu:" in path.read_text()] == ["pod-gpu"]
