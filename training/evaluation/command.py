"""`python -m training evaluate`: a model judged on a data folder. Standard output is JSON alone."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tasks import TaskSpec, get_task
from training.errors import ConfigError, DataError, TrainingError
from training.evaluation.judging import evaluate
from training.evaluation.normalising import normalised
from training.evaluation.options import EvaluationOptions, read_options
from training.evaluation.report import report_of, write_files
from training.evaluation.tally import Judgement
from training.samples import Sample
from training.serving_module import ServingModule
from training.sources import data_digest, read_samples, recognised_source
from training.weights import ModelCard, load_serving_module
from training.words import as_typed


def run_evaluate(words: list[str], console: Console) -> int:
    """Judge as told and return the exit status: 0 done, 1 could not be done, 2 wrong call, 130 interrupted.

    Args:
        words: `key=value`, see `EvaluationOptions`.
        console: for progress and errors; on standard error, because standard output is the JSON's alone.
    """
    try:
        report = evaluate_model(read_options(words), as_typed("evaluate", words), console)
    except KeyboardInterrupt:
        console.print("interrupted; the same call again judges anew")
        return 130
    except (TrainingError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2 if isinstance(error, ConfigError) else 1
    sys.stdout.write(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


def evaluate_model(options: EvaluationOptions, command: str, console: Console) -> dict[str, Any]:
    """Judge a model, write the files of `options.out`, and return what is printed.

    Raises:
        TrainingError: a model or data that cannot be used, or nobody left to judge on.
    """
    task = get_task(options.task)
    model = Path(options.model or f"weights/{task.name}")
    module, card = load_serving_module(model)
    if card.task != task.name:
        raise ConfigError(f"model {model} was trained for {card.task}; give task={card.task} or another model")
    source = recognised_source(Path(options.root), task, options.source)
    samples = read_samples(Path(options.root), task, options.source)
    judged_on, left_out = choose_subjects(samples, card, options.subjects)
    console.print(f"judging {len(judged_on)} of {len(samples)} pictures; {left_out} belong to subjects of the training")
    started_s = time.monotonic()
    judged = _judge_all(module, judged_on, task, options, console)
    out = Path(options.out or f"build/evaluation/{task.name}")
    data = {
        "source": source,
        "digest": data_digest(samples),
        "pictures": len(judged),
        "subjects": len({item.sample.subject for item in judged}),
        "left_out_as_trained_on": left_out,
    }
    described = {"task": task.name, "command": command, "model": _model_of(card), "data": data}
    told = {"tta": options.tta, "subjects": options.subjects, "normalise": options.normalise, "out": out.as_posix()}
    report = described | told | report_of(judged, task, options)
    write_files(judged, report, module, task, options, out)
    console.print(f"judged in {time.monotonic() - started_s:.0f} s; pictures and rows: {out}")
    return report


def choose_subjects(samples: Sequence[Sample], card: ModelCard, subjects: str) -> tuple[list[Sample], int]:
    """Return the samples to judge on, and how many were left out because the model knows their subject.

    A subject counts as known if the model was trained on any of its pictures: the other eye of one is no stranger.

    Raises:
        DataError: nobody is left.
    """
    if subjects == "all":
        return list(samples), 0
    seen = set(card.trained_on)
    known = {sample.subject for sample in samples if sample.digest[:16] in seen}
    unseen = [sample for sample in samples if sample.subject not in known]
    if not unseen:
        raise DataError(
            f"the model was trained on every subject of these {len(samples)} pictures; give other data, "
            "or subjects=all to judge it on what it knows"
        )
    return unseen, len(samples) - len(unseen)


def _judge_all(
    module: ServingModule,
    samples: Sequence[Sample],
    task: TaskSpec,
    options: EvaluationOptions,
    console: Console,
) -> list[Judgement]:
    # Normalising inside `read` leaves everything after it the very path of any other evaluation.
    removed = options.normalise == "colour_and_framing"
    read = [normalised(sample, task) if removed else sample for sample in samples]
    judged: list[Judgement] = []
    started_s = time.monotonic()
    with console.status("judging") as status:
        for item in evaluate(module, read, task, tta=options.tta):
            judged.append(item.judgement())
            left_s = (time.monotonic() - started_s) / len(judged) * (len(read) - len(judged))
            status.update(f"judged {len(judged)}/{len(read)}, {left_s:.0f} s left")
    return judged


def _model_of(card: ModelCard) -> dict[str, Any]:
    return {
        "weights_sha256": card.weights_sha256,
        "network": card.network,
        "calibration": card.calibration,
        "code_revision": card.code_revision,
    }
