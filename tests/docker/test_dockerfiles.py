"""Dockerfiles without building them: what they copy is sent, is enough, and belongs to nobody but a plain user."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doors import OFFLINE, ROOT
from programs import tool

FILES = {path.name.partition(".")[0]: path for path in sorted((ROOT / "docker").glob("*.Dockerfile"))}
OURS = ("cpu", "dashboard", "loadtests", "mlflow", "training")
# A front door without this checkout or its installation: what is not in the folder is not found.
ALONE = """
import runpy, sys
checkout, folder, module, *words = sys.argv[1:]
sys.path[:] = [each for each in sys.path if each.rstrip("/") not in ("", checkout, checkout + "/clients/python")]
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in str(getattr(each, "__module__", each)).lower()]
sys.path[:0] = [folder, folder + "/clients/python"]
sys.argv = [module, *words]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def _copied(name: str) -> list[str]:
    """What a Dockerfile takes from the checkout."""
    lines = [line.split()[1:] for line in FILES[name].read_text().splitlines() if line.startswith("COPY ")]
    return [source for words in lines if not words[0].startswith("--from") for source in words[:-1]]


def _lint(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("dockerfile-lint"), str(file)], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", FILES)
def test_docker_s_own_linter_finds_nothing(name: str) -> None:
    found = _lint(FILES[name])
    assert (found.returncode, found.stdout) == (0, ""), found.stdout + found.stderr


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("ENTRYPOINT python3 -m serving", "JSONArgsRecommended"),
        ("ENV API_TOKEN=abc", "SecretsUsedInArgOrEnv"),
        ("ENV PATH=$PAHT:/opt/fovea/bin", "UndefinedVar"),
        ("INSTALL everything", "unknown instruction"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, fault: str, rule: str) -> None:
    file = tmp_path / "cpu.Dockerfile"
    file.write_text(f"{FILES['cpu'].read_text()}{fault}\n")
    found = _lint(file)
    assert found.returncode == 1
    assert rule in found.stdout


@pytest.mark.parametrize("name", FILES)
def test_the_base_is_an_argument_and_the_user_is_not_root(name: str) -> None:
    text = FILES[name].read_text()
    assert re.search(r"^ARG BASE=(scratch|\S+:(?!latest)\S+)$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1:] == ["1000:1000"]


@pytest.mark.parametrize("name", OURS)
def test_what_is_installed_is_pinned_and_hashed(name: str) -> None:
    text = FILES[name].read_text()
    assert f"/build/install-pins /opt/fovea/python /build/{name}.packages /build/constraints.txt" in text
    assert "pip install" not in text


@pytest.mark.parametrize("name", OURS)
def test_what_is_copied_is_here_and_is_sent(name: str) -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in _copied(name):
        assert (ROOT / source).exists(), source
        assert any(f"{source}/".startswith(f"{each}/") for each in sent), source


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("training", "--help"),
        ("export", "--help"),
        ("monitoring", "rules", "--out", "rules.yaml"),
        ("pipelines", "retrain", "--help"),
        ("loadtests", "run", "--help"),
        ("serving", "--help"),
    ],
    ids=lambda words: words[0],
)
def test_the_training_image_has_what_its_stages_import(words: tuple[str, ...], tmp_path: Path) -> None:
    code = tmp_path / "code"
    for source in _copied("training"):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, code / source, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: value for name, value in OFFLINE.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", ALONE, str(ROOT), str(code), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
