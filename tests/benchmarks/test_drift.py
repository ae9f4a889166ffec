"""The drift benchmark's splits, and what it says of pictures that it cannot read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from rich.console import Console

from benchmarks.drift import Sizes, _split, tables
from monitoring.errors import MonitoringError
from tasks import get_task


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_window_is_as_large_as_asked_whatever_the_share(share: float) -> None:
    member = np.arange(400) < 400 * share
    sizes = Sizes(reference=200, window=50, nulls=1, planted=1, draws=1)
    reference, window = _split(np.random.default_rng(0), member, sizes, 0.25)
    assert len(window) == len(set(window)) == 50
    assert not set(reference) & set(window)
    assert member[window].mean() > min(member[reference].mean() + 0.2, 0.99)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    network = cast(Any, SimpleNamespace(task=get_task("eye_disease")))
    with pytest.raises(MonitoringError, match=r"broken\.png cannot be read"):
        tables([tmp_path / "broken.png"], network, Console(quiet=True))
