"""What figures cost: differences within rounds, a noise floor beside them, the switch that is compared."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.metrics import OFF, OFF_AGAIN, ON, add_silent, cost, main, report
from serving.errors import ServingError

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


def test_the_silent_task_shares_the_network_and_differs_in_the_switch_alone(tmp_path: Path) -> None:
    for model in ("vessels", "vessels_network", "vessels_preprocess", "vessels_postprocess"):
        shutil.copytree(REPOSITORY / model, tmp_path / model)
    add_silent(tmp_path, "vessels", "quiet")
    steps = re.findall(r'model_name: "(\w+)"', (tmp_path / "quiet" / "config.pbtxt").read_text())
    assert steps == ["quiet_preprocess", "vessels_network", "quiet_postprocess"]
    for part in ("preprocess", "postprocess"):
        text = (tmp_path / f"quiet_{part}" / "config.pbtxt").read_text()
        assert f'name: "quiet_{part}"' in text
        switched = text.replace(f'name: "quiet_{part}"', f'name: "vessels_{part}"')
        assert 'string_value: "off"' in switched
        on = switched.replace('string_value: "off"', 'string_value: "on"')
        assert on == (REPOSITORY / f"vessels_{part}" / "config.pbtxt").read_text()


def test_a_release_without_figures_is_refused(tmp_path: Path) -> None:
    for part in ("", "_preprocess", "_postprocess"):
        (tmp_path / f"vessels{part}").mkdir(parents=True)
        (tmp_path / f"vessels{part}" / "config.pbtxt").write_text(f'name: "vessels{part}"')
    with pytest.raises(ServingError, match="place the release again"):
        add_silent(tmp_path, "vessels", "quiet")
    assert main(["--repository", str(tmp_path), "--out", str(tmp_path / "out.json")]) == 1
