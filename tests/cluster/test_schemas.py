"""The chart's renders held to the schemas of the API server that runs, those of its custom resources included."""

from pathlib import Path

import pytest
from chart import REALISTIC, run, template
from kube import SCRIPTS, Cluster
from programs import tool

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def location(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds a kind's schema."""
    folder = tmp_path_factory.mktemp("schemas")
    cluster.run("python3", str(SCRIPTS / "schemas.py"), str(folder))
    return f"{folder}/{{{{.ResourceKind}}}}-{{{{.Group}}}}-{{{{.ResourceAPIVersion}}}}.json"


@pytest.mark.parametrize("name", REALISTIC)
def test_kubernetes_would_take_it(name: str, location: str, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(template(values=REALISTIC[name]))
    result = run(tool("kubeconform"), "-strict", "-summary", "-schema-location", location, rendered)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_misspelt_field_is_found(location: str, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(template(values=REALISTIC["gpu"]).replace("replicas:", "replcas:"))
    result = run(tool("kubeconform"), "-strict", "-schema-location", location, rendered)
    assert result.returncode != 0
    assert "replcas" in result.stdout
