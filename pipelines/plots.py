"""The report's pictures, as SVG text that goes straight into the page."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

_SIZE_INCHES = (6.4, 3.2)


def training_curve(history: Sequence[Mapping[str, float]]) -> str:
    """Return loss and validation Dice over the epochs."""
    figure = Figure(_SIZE_INCHES, layout="constrained")
    left = figure.subplots()
    epochs = [point["epoch"] for point in history]
    for name, label, colour in (("train_loss", "training loss", "#1f6feb"), ("val_loss", "validation loss", "#8b949e")):
        left.plot(epochs, [point[name] for point in history], label=label, color=colour)
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    right = left.twinx()
    right.plot(epochs, [point["val_dice"] for point in history], label="validation Dice", color="#2da44e")
    right.set(ylabel="Dice", ylim=(0, 1))
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


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    # Text stays text, so that the page's own font shows it; no date, so that equal figures give equal pages.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fovea"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
