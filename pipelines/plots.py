"""The report's pictures, as SVG text that goes straight into the page."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_SIZE_INCHES = (6.4, 3.2)


def training_curve(history: Sequence[Mapping[str, float]]) -> str:
    """Return loss and validation score over the epochs; without a validation part, the training loss alone."""
    figure = Figure(_SIZE_INCHES, layout="constrained")
    left = figure.subplots()
    names = [name for name in history[0] if all(name in point for point in history)]
    for name, label, colour in (("train_loss", "training loss", "#1f6feb"), ("val_loss", "validation loss", "#8b949e")):
        if name in names:
            _plot(left, history, name, label, colour)
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    scores = [name for name in names if name.startswith("val_") and name != "val_loss"]
    if scores:
        right = left.twinx()
        _plot(right, history, scores[0], scores[0].replace("val_", "validation ").replace("_", " "), "#2da44e")
        right.set(ylabel="score", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return _svg(figure)


def latency_distribution(latencies_ms: Sequence[float], quantiles_ms: Mapping[str, float]) -> str:
    """Return the share of requests answered within a latency, with the judged quantiles marked."""
    figure = Figure(_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    ordered = sorted(latencies_ms)
    axes.step(ordered, [(rank + 1) / len(ordered) for rank in range(len(ordered))], where="post", color="#1f6feb")
    for name in ("p50", "p95", "p99"):
        axes.axvline(quantiles_ms[name], color="#8b949e", linewidth=0.8, linestyle="--")
        axes.annotate(name, (quantiles_ms[name], 0.02), rotation=90, ha="right", color="#57606a", fontsize=8)
    axes.set(
        xlabel="latency from the intended send time, ms", ylabel="share of requests", ylim=(0, 1.02), xlim=(0, None)
    )
    return _svg(figure)


def _plot(axes: Axes, history: Sequence[Mapping[str, float]], name: str, label: str, colour: str) -> None:
    epochs, values = zip(*((point["epoch"], point[name]) for point in history), strict=True)
    axes.plot(epochs, values, label=label, color=colour)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    # Text stays text, so that the page's own font shows it; no date, so that equal figures give equal pages.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fovea"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
