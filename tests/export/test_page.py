"""The gate's page for people."""

from dataclasses import replace
from pathlib import Path

import pytest
from exported import SEGMENTATION

from export.page import write_page

pytestmark = pytest.mark.slow


def test_page_shows_every_format_and_the_worst_picture(exported, tmp_path: Path) -> None:
    there = exported(SEGMENTATION)
    reports = [there.reports["onnx"], replace(there.reports["onnx_int8"], disagreement=0.9, diverges="it <broke>")]
    artefacts = {name: there.artefacts[name] for name in ("onnx", "onnx_int8")}
    write_page(reports, artefacts, there.expected, there.task, tmp_path / "parity.html")
    text = (tmp_path / "parity.html").read_text()
    assert "it &lt;broke&gt;" in text
    assert text.count("data:image/png;base64,") == 4
    assert text.count(">refused<") == text.count(">passed<") == 1
    assert str(tmp_path) not in text
