"""The bill of materials lists what is installed, each with version, licence and address, and nothing else."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from doors import door
from packaging.utils import canonicalize_name

from ci.sbom import bill


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return bill()


def components(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [*content["components"], content["metadata"]["component"]]


def test_it_lists_what_is_installed_and_nothing_else(content: dict[str, Any]) -> None:
    # In an interpreter of its own: setuptools, once imported, lets its vendored packages look like installed ones.
    ask = "import importlib.metadata as m, json; print(json.dumps([[d.name, d.version] for d in m.distributions()]))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    there = {(canonicalize_name(name), version) for name, version in json.loads(said)}
    listed = [(canonicalize_name(each["name"]), each["version"]) for each in components(content)]
    assert len(there) > 200
    assert sorted(listed) == sorted(there)


def test_each_has_a_licence_and_an_address(content: dict[str, Any]) -> None:
    for each in components(content):
        assert each["licenses"][0]["expression"], each["name"]
        kind = "generic" if each["name"].startswith("fovea") else "pypi"
        assert each["purl"].startswith(f"pkg:{kind}/{each['name'].lower().replace('_', '-')}@")


def test_who_needs_whom_is_in_it(content: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in content["dependencies"]}
    version = importlib.metadata.version("torch")
    assert f"torch=={version}" in needs[content["metadata"]["component"]["bom-ref"]]


def test_no_path_and_no_date_of_this_machine_is_in_it(content: dict[str, Any]) -> None:
    text = json.dumps(content)
    assert "file:" not in text
    assert str(Path.home()) + "/" not in text
    assert "serialNumber" not in content
    assert "timestamp" not in content["metadata"]


def test_the_same_environment_gives_the_same_valid_file(tmp_path: Path, content: dict[str, Any]) -> None:
    result = door("ci.sbom", str(tmp_path / "sbom" / "bill.json"))
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "sbom" / "bill.json").read_text()) == content
    assert [path.name for path in (tmp_path / "sbom").iterdir()] == ["bill.json"]
