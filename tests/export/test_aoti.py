"""AOTInductor, experimental: a small network is compiled, and answers as it did."""

import shutil
from pathlib import Path

import pytest
from untrained import drawn_samples, untrained

from export.artefact import Material
from export.comparison import expect
from export.errors import ExportError
from export.formats import FORMATS
from export.parity import measure_parity, require_parity
from export.pictures import of_sample
from tasks import get_task

TASK = get_task("eye_disease")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_compiled_network_passes_the_gate(tmp_path: Path) -> None:
    module = untrained(TASK)
    path = tmp_path / FORMATS["aoti"].file_name
    FORMATS["aoti"].write(Material(module, TASK, {}, list), path)
    expected = expect(module, [of_sample(sample, TASK) for sample in drawn_samples(TASK, 3, seed=1)], TASK)
    report = measure_parity("aoti", FORMATS["aoti"], path, expected, TASK, batch=5)
    assert report is not None
    require_parity(report)


def test_missing_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ExportError, match=r"there is no g\+\+ here"):
        FORMATS["aoti"].write(Material(untrained(TASK), TASK, {}, list), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
