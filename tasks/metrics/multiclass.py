"""Several classes, from one confusion matrix.

Sources: IoU per class and its mean as in Everingham et al., "The Pascal Visual Object Classes (VOC) challenge",
International Journal of Computer Vision 88 (2010), section 4.3; precision, recall and F1 per class and their macro
averages as in Sokolova and Lapalme, "A systematic analysis of performance measures for classification tasks",
Information Processing and Management 45 (2009), F1 averaged per class and not computed from averages (Opitz and Burst,
"Macro F1 and macro F1", arXiv 1911.03347); MCC of several classes: Gorodkin, "Comparing two K-category assignments by a
K-category correlation coefficient", Computational Biology and Chemistry 28 (2004).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError
from tasks.metrics.binary import check_shapes

Matrix = npt.NDArray[np.int64]  # (classes, classes): row = truth, column = prediction
PerClass = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """What a confusion matrix says, each 0–1 but mcc.

    A class that is neither in the truth nor predicted has NaN and does not count in means: nothing is known of it. One
    that is in the truth and never predicted has precision 0, one that is predicted and not in the truth has recall 0.

    Attributes:
        iou, precision, recall, f1: float64 (classes,); F1 is also the class's Dice coefficient.
        accuracy: share that is right; 1 of nothing.
        mcc: Gorodkin's correlation, -1–1; 0 where prediction or truth has one class only.
    """

    iou: PerClass
    precision: PerClass
    recall: PerClass
    f1: PerClass
    accuracy: float
    mcc: float


def confusion_matrix(
    predicted: npt.NDArray[np.integer[Any]], truth: npt.NDArray[np.integer[Any]], classes: int
) -> Matrix:
    """Count pairs of class indices: int64 (classes, classes), row = truth, column = prediction.

    Raises:
        ShapeError: the shapes differ, or an index names no class.
    """
    check_shapes(predicted, truth)
    for name, indices in (("predicted", predicted), ("true", truth)):
        if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < classes:
            raise ShapeError(f"{name} classes {int(indices.min())}–{int(indices.max())} do not fit {classes} classes")
    pairs = truth.ravel().astype(np.intp) * classes + predicted.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_scores(matrix: Matrix) -> ClassScores:
    """Return every score of a confusion matrix (row = truth, column = prediction)."""
    counts = matrix.astype(np.float64)
    right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    known = true + predicted > 0
    total = float(counts.sum())
    return ClassScores(
        iou=_per_class(right, true + predicted - right, known),
        precision=_per_class(right, predicted, known),
        recall=_per_class(right, true, known),
        f1=_per_class(2 * right, true + predicted, known),
        accuracy=float(right.sum()) / total if total else float("nan"),
        mcc=_correlation(float(right.sum()), true, predicted, total),
    )


def present_mean(per_class: PerClass) -> float:
    """Return the unweighted mean over the classes that are in the truth or predicted (not NaN); NaN if none is."""
    known = per_class[~np.isnan(per_class)]
    return float(known.mean()) if known.size else float("nan")


def _per_class(part: PerClass, whole: PerClass, known: npt.NDArray[np.bool_]) -> PerClass:
    ratio = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return np.where(known, ratio, np.nan)


def _correlation(right: float, true: PerClass, predicted: PerClass, total: float) -> float:
    norm = np.sqrt(total**2 - float(predicted @ predicted)) * np.sqrt(total**2 - float(true @ true))
    return float((right * total - float(true @ predicted)) / norm) if norm else 0.0
