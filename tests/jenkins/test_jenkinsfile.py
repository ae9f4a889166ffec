"""The Jenkinsfile, run by the executor in this folder: Groovy, built and started by Maven."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
# What Maven says when it may not, or cannot, fetch.
UNFETCHED = ("in offline mode", "Could not resolve", "could not be resolved", "Could not transfer", "Unknown host")


def maven(out: Path, *words: str, timeout_s: float) -> list[ElementTree.Element]:
    """Run the tests with Maven, from the network only what is missing; return the cases, passed or skipped."""
    result = _maven(out, "-o", *words, timeout_s=timeout_s)
    if result.returncode != 0 and any(sign in result.stdout for sign in UNFETCHED):
        result = _maven(out, *words, timeout_s=timeout_s)
        if result.returncode != 0 and any(sign in result.stdout for sign in UNFETCHED):
            pytest.skip("Maven has not fetched groovy-all and JUnit yet, and reaches no repository")
    assert result.returncode == 0, result.stdout[-6000:]
    reports = sorted((out / "surefire-reports").glob("TEST-*.xml"))
    return [case for report in reports for case in ElementTree.parse(report).iter("testcase")]  # noqa: S314 — our own


def _maven(out: Path, *words: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not here: Java 17 and Maven run the executor of the Jenkinsfile")
    command = ["mvn", "-B", "-q", "test", f"-Dbuild.folder={out}", *words]
    # With the proxy of the environment: this is what fetches.
    return subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=timeout_s, check=False, env=os.environ
    )


@pytest.mark.slow
def test_the_jenkinsfile_keeps_its_promises(tmp_path: Path) -> None:
    cases = maven(tmp_path, timeout_s=560)
    assert len(cases) > 100
    skipped = {str(case.get("name")) for case in cases if case.find("skipped") is not None}
    assert all("make" in name or "aSmallChange" in name for name in skipped), skipped


@pytest.mark.slow
@pytest.mark.timeout(1800)  # where others compute as well: mypy from nothing, training, parity, load
def test_a_small_change_gets_through_the_gate(synthetic: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    words = (f"-Dreal={real}", f"-Ddata={synthetic}", f"-Dvenv={sys.prefix}")
    cases = maven(tmp_path / "maven", "-Dtest=RealTest", *words, timeout_s=1700)
    for skipped in cases[0].iter("skipped"):
        pytest.skip(str(skipped.get("message")))
    assert "met" in (real / "console.log").read_text()
