"""How right the network is, picture by picture, where somebody has said what is there: held out, or labelled late."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from monitoring.errors import LabelsError
from monitoring.network import Answer, Network
from monitoring.pictures import Progress, read_picture
from tasks import Kind, TaskSpec
from tasks.errors import ImageError, TaskError
from tasks.held_out import LABELS, judged_pixels, read_classes, read_held_out, read_mask
from tasks.imaging import unfit
from tasks.metrics import class_scores, confusion_matrix, present_mean
from tasks.processing import NetworkInput, postprocess, postprocess_classes

CROSS_ENTROPY = "cross_entropy"
_MAX_LABELS_BYTES = 16 * 1024 * 1024
# Half a level of the byte that probabilities are served as: no picture's logarithm is infinite.
_LEAST = 1 / 510
Truth = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Labelled:
    """A picture's file and what is there: uint8 class indices, (height, width), or () of a classification."""

    file: Path
    truth: Truth


def performance_names(task: TaskSpec) -> tuple[str, str]:
    """Return the two figures of performance: cross-entropy, and Dice, or accuracy of a classification."""
    return CROSS_ENTROPY, "accuracy" if task.kind is Kind.CLASSIFICATION else "dice"


def held_out(model: Path, task: TaskSpec) -> list[Labelled]:
    """Return the held-out pictures of a model folder. Raises LabelsError."""
    try:
        return [Labelled(each.image, each.truth) for each in read_held_out(model, task)]
    except ImageError as error:
        raise LabelsError(str(error)) from None


def late_labels(folder: Path, files: Sequence[Path], task: TaskSpec) -> list[Labelled]:
    """Return those of the pictures that have a label in the folder, by the name of the picture without its suffix.

    Labels are `<name>.png`, class indices or, of a task with one foreground class, a mask of 0 and 255; of a
    classification `labels.json`, name → class. Raises LabelsError: one is damaged, fits no picture or fits two, or
    there is none.
    """
    if task.kind is Kind.CLASSIFICATION:
        named = _named_classes(folder / LABELS, task)
        found = [Labelled(file, named[file.stem]) for file in _one_each(files, named.__contains__)]
    else:
        with_label = _one_each(files, lambda name: (folder / f"{name}.png").is_file())
        found = [Labelled(file, _plane(file, folder / f"{file.stem}.png", task)) for file in with_label]
    if not found:
        raise LabelsError(
            f"{folder} has no label of the {len(files)} pictures: call labels as the pictures, {_layout(task)}."
        )
    return found


def _one_each(files: Sequence[Path], has_label: Callable[[str], bool]) -> list[Path]:
    found: dict[str, Path] = {}
    for file in files:
        if not has_label(file.stem):
            continue
        if file.stem in found:
            raise LabelsError(
                f"{found[file.stem]} and {file} have one label, {file.stem}: give each a name of its own."
            )
        found[file.stem] = file
    return list(found.values())


def measure_performance(
    labelled: Sequence[Labelled], network: Network, progress: Progress[Labelled]
) -> npt.NDArray[np.float64]:
    """Return `performance_names` of each picture, float64 (pictures, 2). Raises LabelsError."""
    rows = []
    for each in progress(labelled, f"judging {network.task.name} pictures"):
        try:
            fitted = read_picture(each.file, network.task)
        except (ImageError, OSError) as error:
            raise LabelsError(f"the labelled picture {each.file.name} cannot be read: {error}") from None
        rows.append(performance(fitted, network.answer(fitted.pixels), each.truth, network.task))
    return np.array(rows)


def performance(fitted: NetworkInput, answer: Answer, truth: Truth, task: TaskSpec) -> tuple[float, float]:
    """Return a picture's mean cross-entropy in nats, 0 or more, and its Dice coefficient or 1 if rightly classified.

    Cross-entropy is -ln of the probability of what is there (Bishop, "Pattern Recognition and Machine Learning",
    Springer (2006), equations 4.90 and 4.108). Of a semantic segmentation the likeliest class's probability alone is
    served; where that class is wrong, the rest counts as spread evenly over the others. Dice is the mean over the
    classes that are there or predicted.
    """
    if task.kind is Kind.CLASSIFICATION:
        return _surprise(answer.probability[int(truth)]), float(answer.probability.argmax() == truth)
    predicted, probability = _at_own_size(fitted, answer, task)
    judged = judged_pixels(truth, _view(fitted), task)
    first = len(task.classes) - len(task.predicted)
    found, real, sure = np.maximum(predicted[judged], first), truth[judged], probability[judged] / 255
    matrix = confusion_matrix(found - first, real - first, len(task.predicted))
    f1 = class_scores(matrix).f1
    dice = float(f1[1]) if task.kind is Kind.BINARY_SEGMENTATION else present_mean(f1)
    return _mean_surprise(found, real, sure, task), 1.0 if np.isnan(dice) else dice


def _at_own_size(fitted: NetworkInput, answer: Answer, task: TaskSpec) -> tuple[Truth, Truth]:
    if answer.classes is None:
        prediction = postprocess(answer.probability, fitted.field_of_view, fitted.geometry, task)
    else:
        prediction = postprocess_classes(
            answer.classes, answer.probability, fitted.field_of_view, fitted.geometry, task
        )
    return prediction.mask, prediction.probability


def _view(fitted: NetworkInput) -> npt.NDArray[np.bool_]:
    return np.asarray(unfit(fitted.field_of_view * np.uint8(255), fitted.geometry) >= 128)


def _mean_surprise(found: Truth, real: Truth, sure: npt.NDArray[np.float64], task: TaskSpec) -> float:
    if not real.size:
        return 0.0
    if task.kind is Kind.BINARY_SEGMENTATION:
        given = np.where(real > 0, sure, 1 - sure)
    else:
        given = np.where(found == real, sure, (1 - sure) / max(len(task.predicted) - 1, 1))
    return float(-np.log(np.maximum(given, _LEAST)).mean())


def _surprise(probability: float) -> float:
    return float(-np.log(max(float(probability), _LEAST)))


def _plane(picture: Path, label: Path, task: TaskSpec) -> Truth:
    try:
        with Image.open(label, formats=["PNG"]) as opened, Image.open(picture) as pictured:
            mode, fits = opened.mode, opened.size == pictured.size
        if not fits:
            raise LabelsError(f"the label {label} is not of the size of {picture.name}: label the picture as it is.")
        # A mask of 0 and 255 is what most programs write for one foreground class.
        masks = task.kind is Kind.BINARY_SEGMENTATION and mode != "P"
        return read_mask(label).astype(np.uint8) if masks else read_classes(label, task)
    except (TaskError, OSError, ValueError) as error:
        raise LabelsError(f"the label {label} cannot be read ({error}): {_layout(task)}.") from None


def _named_classes(path: Path, task: TaskSpec) -> dict[str, Truth]:
    names = [info.name for info in task.classes]
    try:
        if path.stat().st_size > _MAX_LABELS_BYTES:
            raise LabelsError(f"{path} is over {_MAX_LABELS_BYTES:,} bytes: give the labels of these pictures only.")
        content = json.loads(path.read_text())
        return {str(name): np.array(names.index(label), np.uint8) for name, label in content.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LabelsError(f"{path} cannot be read as labels ({error}): {_layout(task)}.") from None


def _layout(task: TaskSpec) -> str:
    if task.kind is Kind.CLASSIFICATION:
        return f"{LABELS} holds name → one of {', '.join(info.name for info in task.classes)}"
    return "<picture's name>.png holds class indices, or 0 and 255 where there is one foreground class"
