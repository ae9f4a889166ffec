"""compose.yaml and what it mounts: whole, pinned, restricted, on loopback; by Compose itself where it is here."""

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from programs import tool

from monitoring.__main__ import main as monitoring
from monitoring.dashboards import BOARDS, file_name
from pipelines.stack.ports import USUAL

DOCKER = Path(__file__).parents[2] / "docker"
FILES = (DOCKER / "compose.yaml", DOCKER / "compose.gpu.yaml")
COMPOSE: dict[str, Any] = yaml.safe_load(FILES[0].read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if "build" in service}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
GIVEN = {"FOVEA_GRAFANA_PASSWORD_FILE": "/run/password", "FOVEA_TAG": "7", "FOVEA_BUILD": "/srv/fovea"}
# What each image's list of packages is for; the list names everything that these need.
ROOTS = {
    "dashboard": ("streamlit", "numpy", "pillow", "protobuf", "tritonclient[grpc]"),
    "mlflow": ("mlflow",),
    "training": (
        "deeplake",
        "hydra-core",
        "lightning",
        "locust",
        "mlflow",
        "nncf",
        "nvidia-pytriton",
        "openvino",
        "torch",
    ),
}


def filled(text: str) -> str:
    """The text with every variable at its default."""
    return VARIABLE.sub(lambda found: found[3] if found[2] == "-" else found[1], text)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_restricted(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", filled(service["user"])), "a user of its own, not root"
    assert "healthcheck" in service or "load-test" in service["profiles"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "cap_add"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_and_every_dockerfile_exists(name: str) -> None:
    image = filled(SERVICES[name]["image"])
    assert re.search(r":(?!latest$)[\w.-]+$", image), image
    if name in OWN:
        assert (DOCKER / OWN[name]["build"]["context"] / OWN[name]["build"]["dockerfile"]).is_file()
        assert image.startswith("fovea-")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_of_loopback_and_those_of_make_stack(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        address, outside, inside = port.split(":")
        assert (address, outside) == ("127.0.0.1", inside)
        assert int(outside) in {*USUAL.values(), 3000}


def _mounts() -> list[dict[str, Any]]:
    return [each for service in SERVICES.values() for each in service.get("volumes", []) if isinstance(each, dict)]


def test_what_is_mounted_is_here_or_is_built() -> None:
    sources = {filled(mount["source"]) for mount in _mounts()}
    built = {source for source in sources if source.startswith("../build/")}
    assert {Path(source).name for source in built} == {"model_repository", "metrics", "drift", "loadtest"}
    for source in sources - built:
        assert (DOCKER / source).is_dir(), source
    assert [mount["target"] for mount in _mounts() if not mount.get("read_only")] == ["/results"]


def test_named_volumes_are_declared_and_used() -> None:
    texts = [each for service in SERVICES.values() for each in service.get("volumes", []) if isinstance(each, str)]
    assert {text.partition(":")[0] for text in texts} == set(COMPOSE["volumes"])


def test_no_secret_is_in_the_files() -> None:
    assert COMPOSE["secrets"]["grafana"]["file"] == "${FOVEA_GRAFANA_PASSWORD_FILE:-../build/secrets/grafana}"
    for file in FILES:
        words = [
            line for line in file.read_text().splitlines() if re.search(r"password|token|secret", line, re.IGNORECASE)
        ]
        allowed = ("#", "GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/grafana", "secrets:", "file: ${FOVEA_GRAFANA")
        assert [line for line in words if not line.strip().startswith(allowed)] == []


def test_what_is_under_agpl_starts_on_request_only() -> None:
    assert [name for name, each in SERVICES.items() if "grafana" in each["image"]] == ["grafana"]
    assert SERVICES["grafana"]["profiles"] == ["grafana"]
    assert not [name for name, each in SERVICES.items() if "grafana" in each.get("depends_on", {})]


def test_the_rules_are_the_chart_s(tmp_path: Path) -> None:
    assert monitoring(["rules", "--tasks", "vessels", "--out", str(tmp_path / "rules.yaml")]) == 0
    assert (DOCKER / "prometheus" / "rules.yaml").read_text() == (tmp_path / "rules.yaml").read_text()


def test_prometheus_takes_its_configuration() -> None:
    checked = subprocess.run(
        [tool("promtool"), "check", "config", str(DOCKER / "prometheus" / "prometheus.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_targets_are_services_and_ports() -> None:
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (DOCKER / "prometheus" / "targets").iterdir()}
    assert files == {"fovea": [{"targets": ["triton:8002"]}], "drift": [{"targets": ["exporter:9100"]}]}
    jobs = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    assert {job["job_name"] for job in jobs} == set(files)
    assert {each["targets"][0].partition(":")[0] for targets in files.values() for each in targets} <= SERVICES.keys()


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    folder = DOCKER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "dashboards" / "fovea.yaml").read_text())["providers"]
    (mount,) = [each for each in _mounts() if each["target"] == provider["options"]["path"]]
    names = {path.name for path in (DOCKER / mount["source"]).glob("*.json")}
    assert names == {file_name(board) for board in BOARDS}


def _checker() -> list[str]:
    """Compose itself, or the package that it checks with."""
    docker = shutil.which("docker")
    if docker and not subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        return [docker, "compose", "--profile", "*", "-f"]
    return [tool("compose-config")]


def _checked(*files: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = _checker()
    command = [words[0], *map(str, files)]
    if words[1:]:
        command = [*words[:-1], *(word for file in files for word in ("-f", str(file))), "config"]
    given = {name: value for name, value in os.environ.items() if not name.startswith("FOVEA_")} | environment
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["cpu", "gpu"])
def test_compose_takes_the_files(files: tuple[Path, ...]) -> None:
    found = _checked(*files, **GIVEN)
    assert found.returncode == 0, found.stderr
    project = yaml.safe_load(found.stdout)
    assert set(project["services"]) == set(SERVICES)
    triton = project["services"]["triton"]
    assert triton["image"] == ("fovea-server:7" if len(files) == 1 else "fovea-server-gpu:7")
    assert triton["volumes"][0]["source"] == "/srv/fovea/model_repository"
    assert project["secrets"]["grafana"]["file"] == "/run/password"


@pytest.mark.parametrize("image", ROOTS)
def test_an_image_has_all_that_its_packages_need(image: str) -> None:
    listed = set((DOCKER / f"{image}.packages").read_text().split())
    needed = _closure([Requirement(root) for root in ROOTS[image]])
    assert needed - listed - {"setuptools"} == set()
    pinned = {line.partition("==")[0] for line in (DOCKER.parent / "constraints.txt").read_text().splitlines()}
    assert listed - pinned == set()


def _closure(todo: list[Requirement]) -> set[str]:
    """What is installed because of these, by the installed packages' own word."""
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted = todo.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in done:
            done.add(key)
            todo += [
                each
                for each in map(Requirement, importlib.metadata.requires(wanted.name) or [])
                if _holds(each, key[1])
            ]
    return {name for name, _ in done}


def _holds(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
