"""What is kept of a judged picture: counts that add up over pictures and subjects, instead of its pixels.

A served probability is a byte, so counts by level lose nothing: pooled areas under curves are exact, and a bootstrap
resample is one matrix product.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from tasks.metrics import LEVELS, confusion_matrix, score_histogram
from tasks.processing import Classification, Prediction
from training.errors import DataError
from training.evaluation.prediction import Answer
from training.samples import Labelled, Sample

Plane = npt.NDArray[np.uint8]
View = npt.NDArray[np.bool_]
Counts = dict[str, npt.NDArray[np.int64]]
FIELD_OF_VIEW = "field_of_view"
FULL_FRAME = "full_frame"


@dataclass(frozen=True)
class Tally:
    """One judged picture in numbers.

    Attributes:
        counts: binary: `field_of_view` and `full_frame`, each (2, 2, 256): mask, truth, level. Semantic, over labelled
            pixels and the network's outputs: `matrix` (outputs, outputs): truth, prediction; `confidence` (2, 256):
            wrong and right; `scores` (outputs, 2, 256): rest and class. Classification: none.
        truth: of a classification: index of the class that the label names; -1 otherwise.
        label: of a classification: index of the predicted class; -1 otherwise.
        probability: of a classification: float32 (classes,).
    """

    counts: Counts
    truth: int = -1
    label: int = -1
    probability: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Judgement:
    """What is worth keeping of a judged picture: a few kilobytes, whatever its size.

    Attributes:
        sample: which picture.
        metrics: its own figures.
        tally: what figures over several pictures are made of.
    """

    sample: Sample
    metrics: dict[str, float]
    tally: Tally


def tally(sample: Sample, labelled: Labelled, answer: Answer, task: TaskSpec) -> Tally:
    """Reduce a picture and its answer to numbers.

    Raises:
        DataError: no label, no mask, or a mask of another size than the picture.
    """
    prediction = answer.prediction
    if isinstance(prediction, Classification):
        if sample.label is None:
            raise DataError(f"picture {sample.name} has no label to be judged by; ingest the data again")
        return Tally({}, sample.label, prediction.label, prediction.probability)
    mask = _mask(sample, labelled, prediction)
    view = np.ones(mask.shape, np.bool_) if labelled.field_of_view is None else labelled.field_of_view
    if task.kind is Kind.BINARY_SEGMENTATION:
        # The published field of view and not the one that serving finds: published figures are measured inside it.
        whole = np.ones(mask.shape, np.bool_)
        return Tally({FIELD_OF_VIEW: _binary(mask, prediction, view), FULL_FRAME: _binary(mask, prediction, whole)})
    return Tally(_semantic(mask, prediction, answer.scores, view, task))


def _mask(sample: Sample, labelled: Labelled, prediction: Prediction) -> Plane:
    mask = labelled.mask
    planes = [plane for plane in (mask, labelled.field_of_view) if plane is not None]
    if mask is None or any(plane.shape != prediction.mask.shape for plane in planes):
        sizes = ", ".join(str(plane.shape) for plane in planes) or "nothing"
        raise DataError(f"picture {sample.name} has {prediction.mask.shape} pixels and is labelled by {sizes}")
    return mask


def _binary(truth: Plane, prediction: Prediction, view: View) -> npt.NDArray[np.int64]:
    mask, positive, level = prediction.mask[view] > 0, truth[view] > 0, prediction.probability[view]
    return np.stack([score_histogram(level[mask == side], positive[mask == side]) for side in (False, True)])


def _semantic(truth: Plane, prediction: Prediction, scores: Plane | None, view: View, task: TaskSpec) -> Counts:
    first = len(task.classes) - len(task.predicted)
    judged = view & (truth >= first)
    true = truth[judged] - first
    # Outside serving's own field of view the answer is 0, which is no class of such a task: a miss of the first one.
    predicted = np.maximum(prediction.mask[judged], first) - first
    counts = {
        "matrix": confusion_matrix(predicted, true, task.outputs),
        "confidence": score_histogram(prediction.probability[judged], predicted == true),
    }
    if scores is not None:
        counts["scores"] = np.stack(
            [score_histogram(plane[judged], true == label) for label, plane in enumerate(scores)]
        ).reshape(task.outputs, 2, LEVELS)
    return counts
