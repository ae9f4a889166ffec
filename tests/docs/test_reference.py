"""The reference says what the code says."""

import importlib.util
import re

import pytest
from pages import ROOT

REFERENCE = ROOT / "docs" / "reference"


def generator():
    spec = importlib.util.spec_from_file_location("command_lines", ROOT / "docs" / "command_lines.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_command_lines_are_what_help_says(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = generator()
    monkeypatch.setenv("COLUMNS", lines.COLUMNS)
    assert lines.PAGE.read_text() == lines.render(), "run make command-lines"


def test_no_door_is_left_out() -> None:
    import loadtests.__main__
    import monitoring.__main__

    doors = generator().DOORS
    stages = {path.parent.name for path in ROOT.glob("*/__main__.py")}
    assert {*doors} == {*stages, "fovea"}
    assert {*doors["loadtests"]} == {*loadtests.__main__.COMMANDS}
    assert {*doors["monitoring"]} - {""} == {*monitoring.__main__.COMMANDS}


def test_public_names_of_tasks_are_described() -> None:
    import tasks

    page = (REFERENCE / "tasks.md").read_text()
    described = set(re.findall(r"^::: [\w.]+\.(\w+)$", page, re.MULTILINE))
    assert set(tasks.__all__) <= described
