"""How fast is each architecture, and how good: `python -m benchmarks.networks --root <data> <model> <model> …`.

Every network is exported to FP32 ONNX and timed under ONNX Runtime in one alternating run, so that whatever else the
machine does meets all of them alike; only ratios to the first one mean something. Accuracy is that on the pictures that
none of the models was trained on.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import onnxruntime
import torch
from rich.console import Console
from rich.table import Table

from tasks import Kind, TaskSpec, UnknownTaskError, get_task
from training.errors import TrainingError
from training.evaluation import evaluate, pooled_metrics
from training.networks.summary import summarise
from training.samples import Sample
from training.sources import read_samples
from training.weights import load_serving_module

mpl.use("Agg")
from matplotlib import pyplot as plt

_TIMES = [2.0**power for power in range(-5, 6)]


@dataclass(frozen=True)
class Measured:
    """One model's cost and quality.

    Attributes:
        name: of the model folder.
        parameters, gflops: of the network.
        latency_ms: median, on this machine, for one picture.
        times_as_fast: median latency of the first model / of this one.
        score, score_tta: the task's main metric, without and with four-fold test-time augmentation.
        roc_auc, roc_auc_tta: area under the ROC curve, likewise (binary segmentation).
    """

    name: str
    parameters: int
    gflops: float
    latency_ms: float
    times_as_fast: float
    score: float
    score_tta: float
    roc_auc: float
    roc_auc_tta: float


def measure(models: Sequence[Path], samples: Sequence[Sample], rounds: int, threads: int) -> list[Measured]:
    """Return what each model costs and how good it is; the first one is what the others are compared with.

    Raises:
        TrainingError: a model or its pictures cannot be used.
    """
    loaded = [load_serving_module(model) for model in models]
    task = get_task(loaded[0][1].task)
    if task.kind is Kind.CLASSIFICATION:
        raise TrainingError(f"{task.name} classifies; this benchmark compares segmenting networks")
    seen = {digest for _, card in loaded for digest in card.trained_on}
    unseen = [sample for sample in samples if sample.digest[:16] not in seen]
    if not unseen:
        raise TrainingError("every picture was trained on by one of the models; name other pictures with --root")
    seconds = _alternate([_session(module.network, task, threads) for module, _ in loaded], task, rounds)
    rows = []
    for model, (module, _), times in zip(models, loaded, seconds, strict=True):
        summary = summarise(module.network, task)
        plain, augmented = (
            pooled_metrics([item.judgement() for item in evaluate(module, unseen, task, tta=tta)], task)
            for tta in (False, True)
        )
        main = "dice" if "dice" in plain else "mean_iou"
        rows.append(
            Measured(
                model.name,
                summary.parameters,
                round(summary.gflops, 2),
                float(np.median(times)) * 1000,
                float(np.median(seconds[0]) / np.median(times)),
                plain[main],
                augmented[main],
                plain.get("roc_auc", float("nan")),
                augmented.get("roc_auc", float("nan")),
            )
        )
    return rows


def _session(network: torch.nn.Module, task: TaskSpec, threads: int) -> onnxruntime.InferenceSession:
    example = torch.zeros(1, 3, task.size_px, task.size_px)
    program = torch.onnx.export(network.eval(), (example,), dynamo=True, verbose=False)
    assert program is not None  # noqa: S101 - always so with dynamo=True
    model = program.model_proto.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _alternate(sessions: Sequence[onnxruntime.InferenceSession], task: TaskSpec, rounds: int) -> list[list[float]]:
    """Return seconds by session; every round runs each of them once."""
    picture = np.random.default_rng(0).random((1, 3, task.size_px, task.size_px), np.float32)
    seconds: list[list[float]] = [[] for _ in sessions]
    for _ in range(rounds + 1):
        for session, times in zip(sessions, seconds, strict=True):
            start_s = time.perf_counter()
            session.run(None, {session.get_inputs()[0].name: picture})
            times.append(time.perf_counter() - start_s)
    # The first round allocates memory and picks kernels.
    return [times[1:] for times in seconds]


def draw(rows: Sequence[Measured], path: Path, score: str) -> None:
    """Save speed against quality: a filled mark without and a hollow one with test-time augmentation."""
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for index, row in enumerate(rows):
        colour = f"C{index}"
        axes.plot(row.times_as_fast, row.score, "o", color=colour, label=f"{row.name} ({row.parameters:,})")
        axes.plot(row.times_as_fast / 4, row.score_tta, "o", color=colour, markerfacecolor="none")
        axes.plot([row.times_as_fast / 4, row.times_as_fast], [row.score_tta, row.score], ":", color=colour)
    axes.set(xscale="log", xlabel=f"times as fast as {rows[0].name}", ylabel=score)
    # Powers of two: a logarithmic axis' own labels overlap where it spans one decade.
    axes.set_xticks(_TIMES, [f"{times:g}" for times in _TIMES])
    axes.minorticks_off()
    fastest, slowest = max(row.times_as_fast for row in rows), min(row.times_as_fast for row in rows) / 4
    axes.set_xlim(slowest / 1.3, fastest * 1.3)
    axes.set_title("filled: one pass; hollow: four mirrored passes", fontsize=9)
    axes.legend(fontsize=8, title="network (parameters)", title_fontsize=8)
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _table(rows: Sequence[Measured]) -> Table:
    table = Table(title="cost and quality of the architectures")
    for column in ("network", "parameters", "GFLOPs", "ms", "times as fast", "score", "with TTA", "AUC", "with TTA"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for row in rows:
        figures = (row.score, row.score_tta, row.roc_auc, row.roc_auc_tta)
        cost = (f"{row.parameters:,}", f"{row.gflops:.2f}", f"{row.latency_ms:.0f}", f"{row.times_as_fast:.2f}")
        table.add_row(row.name, *cost, *(f"{figure:.4f}" for figure in figures))
    return table


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 0, or 1 if a model or its pictures cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.networks", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", help="model folders or shipped weights; the first one is 1.0")
    parser.add_argument("--root", type=Path, required=True, help="labelled pictures")
    parser.add_argument("--task", default="vessels")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/networks.json"))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    try:
        samples = read_samples(options.root, get_task(options.task))
        rows = measure(options.models, samples, options.rounds, options.threads)
    except (TrainingError, UnknownTaskError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    console.print(_table(rows))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    draw(rows, options.out.with_suffix(".png"), "Dice" if options.task == "vessels" else "mean IoU")
    console.print(f"{options.out} and {options.out.with_suffix('.png').name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
