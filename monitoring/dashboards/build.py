"""From boards to the JSON that Grafana loads, by Grafana's own builders."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

from monitoring.dashboards.panel import Board, Panel

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT, _WIDTH = 8, 12  # of 24 columns


def to_json(board: Board) -> str:
    """Return the dashboard as Grafana's import takes it."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["fovea"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(list(_variables(board)))
    )
    for panel in board.panels:
        built = built.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _panel(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .height(_HEIGHT)
        .span(_WIDTH)
        .unit(panel.unit)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    built = built if panel.least is None else built.min(panel.least)
    built = built if panel.most is None else built.max(panel.most)
    for index, query in enumerate(panel.queries):
        name = chr(ord("A") + index)
        built = built.with_target(
            prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(name).range()
        )
    return built


Variable = dashboard.QueryVariable | dashboard.DatasourceVariable | dashboard.TextBoxVariable


def _variables(board: Board) -> Iterator[Variable]:
    yield dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    where = '{namespace="$namespace"}' if board.pods else ""
    if board.pods:
        yield _query("namespace", "Namespace", f"label_values({board.series}, namespace)")
        yield _all("pods", "Pods", f"label_values({board.series}{where}, pod)")
    # The steps of a task are models to Triton, too.
    task = _all("task", "Task", f"label_values({board.series}{where}, {board.label})")
    yield task.regex("/^(?!.*_(preprocess|network|postprocess)$).*$/")
    if board.deployments:
        wanted = 'label_values(kube_deployment_spec_replicas{namespace="$namespace"}, deployment)'
        yield _all("deployments", "Deployments", wanted)
    if board.priced:
        yield dashboard.TextBoxVariable("price").label("Price of a server's hour").default_value("1")


def _query(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _all(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return _query(name, label, query).include_all(True).multi(True).all_value(".*")
