"""Dependabot, pre-commit and the security pages: well-formed, true to the repository, and able to refuse something."""

import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[2]
DEPENDABOT = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
PAGES = [
    ROOT / "SECURITY.md",
    *(ROOT / "docs" / "explanation" / f"{name}.md" for name in ("threat-model", "privacy-and-security")),
]
MANIFESTS = {"pip": "pyproject.toml", "docker": "*Dockerfile", "maven": "pom.xml"}


class Strict(BaseModel):
    """What a file may have, and nothing else."""

    model_config = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))


class Schedule(Strict):
    interval: Literal["daily", "weekly", "monthly"]


class Ignore(Strict):
    dependency_name: str
    versions: list[str] | None = None


class Group(Strict):
    patterns: list[str] | None = None
    update_types: list[Literal["major", "minor", "patch"]] | None = None


class Update(Strict):
    """The part of Dependabot's format that is used here: its options reference, September 2026."""

    package_ecosystem: Literal["pip", "docker", "maven"]
    directory: str | None = None
    directories: list[str] | None = None
    schedule: Schedule
    open_pull_requests_limit: int = Field(5, ge=0)
    groups: dict[str, Group] = {}
    ignore: list[Ignore] = []


class Dependabot(Strict):
    version: Literal[2]
    updates: list[Update]


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    return [Requirement(text) for text in (*project["dependencies"], *extras)]


def python_updates() -> Update:
    return next(each for each in Dependabot(**DEPENDABOT).updates if each.package_ecosystem == "pip")


def test_dependabot_reads_folders_that_have_something_to_update() -> None:
    for update in Dependabot(**DEPENDABOT).updates:
        assert bool(update.directory) != bool(update.directories)
        for folder in update.directories or [update.directory or ""]:
            assert list((ROOT / folder.strip("/")).glob(MANIFESTS[update.package_ecosystem])), folder


def test_dependabot_holds_back_exactly_what_pyproject_does() -> None:
    bounds = {}
    for requirement in requirements():
        upper = [f">={each.version}" for each in requirement.specifier if each.operator == "<"]
        exact = any(each.operator == "==" for each in requirement.specifier)
        if upper or exact:
            bounds[requirement.name] = None if exact else upper
    assert {each.dependency_name: each.versions for each in python_updates().ignore} == bounds


def test_every_pattern_of_a_group_is_a_dependency() -> None:
    names = {requirement.name for requirement in requirements()}
    patterns = [each for group in python_updates().groups.values() for each in group.patterns or []]
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in names)] == []


def hooks() -> list[dict[str, Any]]:
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in configured] == ["local"], (
        "a hook from elsewhere is fetched and unpinned"
    )
    return list(configured[0]["hooks"])


def test_hooks_use_what_constraints_pins() -> None:
    assert {hook["language"] for hook in hooks()} == {"system", "fail"}
    for program in re.findall(r"\.venv/bin/(\S+)", " ".join(hook["entry"] for hook in hooks())):
        assert (Path(sys.executable).parent / program).exists(), program


def test_no_hook_refuses_what_is_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git repository here")
    refused = next(hook["files"] for hook in hooks() if hook["language"] == "fail")
    assert [name for name in listed.stdout.splitlines() if re.search(refused, name)] == []


@pytest.mark.parametrize(
    ("name", "text", "hook"),
    [
        ("wrong.py", "import os\n", "ruff"),
        ("loose.py", "x = { 'a':1 }\n", "ruff-format"),
        ("broken", "#!/bin/bash\nif true; then\n", "shell"),
        ("trailing.md", "word \n", "whitespace"),
        ("21_training.tif", "II*", "no-pictures"),
    ],
)
def test_a_hook_stops_a_commit(tmp_path: Path, name: str, text: str, hook: str) -> None:
    for file in (".pre-commit-config.yaml", "pyproject.toml"):
        (tmp_path / file).write_text((ROOT / file).read_text())
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / name).write_text(text)
    (tmp_path / name).chmod(0o755)
    others = ",".join(each["id"] for each in hooks() if each["id"] != hook)
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "SKIP": others,
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    for command in (["git", "init", "-q"], ["git", "add", name]):
        subprocess.run(command, cwd=tmp_path, check=True, env=environment)
    command = [str(tmp_path / ".venv" / "bin" / "pre-commit"), "run", "--files", name]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"hook id: {hook}" in result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_a_page_names_is_there(page: Path) -> None:
    """Every path in code marks or in a link, and every test behind a `::`."""
    text = page.read_text()
    links = [page.parent / target for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    assert [str(path) for path in links if not path.exists()] == []
    named = re.findall(r"`([\w.-]+(?:/[\w.*{},-]+)+/?)(?:::(\w+))?`", text)
    folders = {path.name for path in ROOT.iterdir()} - {"build", "data"}
    ours = [(name, test) for name, test in named if name.split("/")[0] in folders]
    assert ours or page.name == "SECURITY.md"
    assert [name for name, _ in ours if not list(ROOT.glob(name.strip("/")))] == []
    missing = [f"{name}::{test}" for name, test in ours if test and f"def {test}(" not in (ROOT / name).read_text()]
    assert missing == []
    files = re.findall(r"`(Jenkinsfile|[\w.-]+\.(?:md|txt|toml))`", text)
    assert [name for name in files if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_no_person_is_named(page: Path) -> None:
    assert re.findall(r"[\w.+-]+@[\w-]+\.\w+", page.read_text()) == []
