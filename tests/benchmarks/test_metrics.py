"""What figures cost: differences within rounds, a noise floor beside them, the switch that is compared."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.metrics import OFF, OFF_AGAIN, ON, cost, main, report, silenced
from serving.errors import ServingError
from tasks.checksums import verify_checksums, write_checksums

REPOSITORY = Path(__file__).parents[2] / "model_repository"


def times(beyond_us: float) -> dict[str, np.ndarray]:
    """Rounds whose own ups and downs are a hundred times what is looked for."""
    noise = np.random.default_rng(0).uniform(40_000, 80_000, 200)
    return {OFF: noise, OFF_AGAIN: noise, ON: noise + beyond_us}


def printed(beyond_us: float) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=200)
    met = report(times(beyond_us), console)["met"]
    return bool(met), console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]


def test_cost_is_told_from_the_noise_of_rounds() -> None:
    found = cost(ON, times(600.0))
    assert found.beyond_ms == pytest.approx(0.6)
    assert found.share == pytest.approx(0.01, rel=0.1)
    assert cost(OFF_AGAIN, times(600.0)).share == 0


def test_the_last_line_is_the_verdict() -> None:
    assert printed(600.0)[0]
    assert printed(600.0)[1].startswith("met")
    assert not printed(3000.0)[0]
    assert printed(3000.0)[1].startswith("MISSED")


def test_the_other_server_differs_in_the_switch_alone(tmp_path: Path) -> None:
    quiet = silenced(REPOSITORY, tmp_path / "quiet")
    verify_checksums(quiet)
    changed = [path for path in quiet.rglob("*.*") if path.is_file() and differs(path, quiet)]
    assert {path.parent.name.rpartition("_")[2] for path in changed} == {"preprocess", "postprocess"}
    for path in changed:
        assert (
            path.read_text().replace('string_value: "off"', 'string_value: "on"')
            == (REPOSITORY / path.relative_to(quiet)).read_text()
        )


def differs(path: Path, quiet: Path) -> bool:
    peer = REPOSITORY / path.relative_to(quiet)
    return path.suffix != ".pyc" and peer.is_file() and path.read_bytes() != peer.read_bytes()


def test_a_release_without_figures_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "vessels").mkdir(parents=True)
    (old / "vessels" / "config.pbtxt").write_text('name: "vessels"')
    write_checksums(old)
    with pytest.raises(ServingError, match="place the release again"):
        silenced(old, tmp_path / "quiet")
    assert main(["--repository", str(old), "--out", str(tmp_path / "out.json")]) == 1
