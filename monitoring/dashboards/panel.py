"""A panel as a person thinks of it: a question, its unit, and the queries that answer it."""

from dataclasses import dataclass

# `namespace` and `pods` are empty and everything where no Kubernetes put labels on the series.
PODS = 'namespace="$namespace",pod=~"$pods"'
MODELS = f'{PODS},model=~"$task"'
TASKS = f'{PODS},task=~"$task"'


@dataclass(frozen=True)
class Query:
    """PromQL, and what a line of its answer is called."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A chart of lines over time.

    Attributes:
        title: what it shows.
        description: what it counts, and what to make of it.
        unit: Grafana's name of it.
        queries: one or several, of the same unit.
        least, most: ends of the axis; None leaves them to the values.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    least: float | None = 0
    most: float | None = None


@dataclass(frozen=True)
class Board:
    """A dashboard: panels two in a row.

    Attributes:
        uid: what links and Grafana know it by.
        title: what people know it by.
        description: what it is for.
        series: by which series the namespaces, pods and tasks to choose from are found.
        label: which of its labels names the task.
        panels: from the most to the least looked at.
        pods: whether namespace and pods can be chosen.
        deployments: whether deployments can be chosen.
        priced: whether the price of a server's hour can be typed.
    """

    uid: str
    title: str
    description: str
    series: str
    panels: tuple[Panel, ...]
    label: str = "task"
    pods: bool = True
    deployments: bool = False
    priced: bool = False


def rate(metric: str, labels: str, by: str) -> str:
    """Return how fast the counters grow a second, summed by those labels."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def ratio(above: str, below: str) -> str:
    """Return one rate over another, without a line where there is nothing to divide by."""
    return f"{above} / ({below} > 0)"


def mean(histogram: str, legend: str) -> Query:
    """Return a histogram's mean by task."""
    return Query(ratio(rate(f"{histogram}_sum", TASKS, "task"), rate(f"{histogram}_count", TASKS, "task")), legend)


def quantiles(histogram: str, *shares: float) -> tuple[Query, ...]:
    """Return quantiles of a histogram by task."""
    grown = rate(f"{histogram}_bucket", TASKS, "task, le")
    return tuple(Query(f"histogram_quantile({share:g}, {grown})", f"{{{{task}}}} p{100 * share:g}") for share in shares)
