"""Dashboards as they are written: what the chart carries, each query as Prometheus would parse it, nothing hidden."""

import json
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from monitoring.__main__ import main
from monitoring.dashboards import BOARDS, file_name
from monitoring.dashboards.build import to_json
from monitoring.dashboards.panel import Board
from tasks import TASKS

CHART = Path(__file__).parents[2] / "helm-chart" / "dashboards"
VARIABLES = ("$__rate_interval", "$namespace", "$pods", "$task", "$deployments", "$price")
every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def built(board: Board) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(board))
    return found


def test_the_chart_carries_what_the_code_says(tmp_path: Path) -> None:
    assert main(["dashboards", "--out", str(tmp_path)]) == 0
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    carried = {path.name: path.read_text() for path in CHART.iterdir()}
    assert written == carried, "write them anew: python -m monitoring dashboards --out helm-chart/dashboards"
    assert set(written) == {file_name(board) for board in BOARDS}


@every_board
def test_every_expression_parses(board: Board) -> None:
    for panel in board.panels:
        for query in panel.queries:
            text = query.expression.replace("$__rate_interval", "5m").replace("$price", "1")
            assert promql_parser.parse(text) is not None, panel.title


@every_board
def test_every_variable_is_defined(board: Board) -> None:
    defined = {f"${variable['name']}" for variable in built(board)["templating"]["list"]} | {"$__rate_interval"}
    for panel in board.panels:
        for query in panel.queries:
            used = {name for name in VARIABLES if name in query.expression}
            assert used <= defined, panel.title


@every_board
def test_every_panel_says_what_it_is_and_has_its_place(board: Board) -> None:
    panels = built(board)["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels) == len(board.panels)
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) for panel in panels)


def test_every_segmenting_task_has_its_shares() -> None:
    titles = {panel.title for board in BOARDS for panel in board.panels}
    assert {f"Shares of {name}" for name, task in TASKS.items() if task.kind != "classification"} <= titles


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["dashboards", "--out", str(tmp_path / "file")]) == 2
    assert "name another --out" in capsys.readouterr().err
