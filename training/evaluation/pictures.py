"""What the figures look like: the worst, the middle and the best picture, for people."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from tasks.imaging import decode
from tasks.processing import Classification, Prediction
from training.evaluation.judging import Evaluated
from training.evaluation.tally import Judgement

Picture = npt.NDArray[np.uint8]
# The figure of one picture that ranks it.
RANKED_BY = {
    Kind.BINARY_SEGMENTATION: "dice",
    Kind.SEMANTIC_SEGMENTATION: "mean_iou",
    Kind.CLASSIFICATION: "probability_of_truth",
}
_SIDE_PX = 360
_LINE_PX = 26
_MISSED, _INVENTED, _WRONG = (255, 170, 0), (220, 30, 60), (220, 30, 60)


def worst_median_best(judged: Sequence[Judgement], task: TaskSpec) -> dict[str, Judgement]:
    """Return the pictures of lowest, middle and highest rank; equal ranks by name. Undefined ranks do not count."""
    key = RANKED_BY[task.kind]
    known = [item for item in judged if not np.isnan(item.metrics[key])]
    ranked = sorted(known, key=lambda item: (item.metrics[key], item.sample.name))
    if not ranked:
        return {}
    return {"worst": ranked[0], "median": ranked[len(ranked) // 2], "best": ranked[-1]}


def worst_mistakes(judged: Sequence[Judgement], count: int = 8) -> list[Judgement]:
    """Return the wrongly classified pictures of which the network was surest, the surest first."""
    wrong = [item for item in judged if item.tally.label != item.tally.truth]
    return sorted(wrong, key=lambda item: (-_surety(item), item.sample.name))[:count]


def panel(item: Evaluated, task: TaskSpec) -> Picture:
    """Return a segmentation as picture | truth | prediction | error side by side: uint8 (height, width, 3), RGB.

    In the error picture missed foreground is orange and invented foreground red; of several classes, all that is wrong.
    """
    assert isinstance(item.prediction, Prediction)  # noqa: S101 - panels are drawn of segmentations only
    assert item.labelled.mask is not None  # noqa: S101 - else judging would have refused it
    image = decode(item.labelled.encoded, task.limits)
    truth, answer = item.labelled.mask, item.prediction.mask
    columns = {
        item.sample.name: image,
        "expert": _coloured(truth, task),
        "network": _coloured(answer, task),
        f"error, {RANKED_BY[task.kind]} {item.metrics[RANKED_BY[task.kind]]:.3f}": _errors(image, truth, answer, task),
    }
    return np.hstack([_captioned(picture, text) for text, picture in columns.items()])


def mistakes_sheet(items: Sequence[Evaluated], task: TaskSpec, columns: int = 4) -> Picture:
    """Return classified pictures with truth and answer below each, uint8 RGB; black where a row is not full."""
    cells = [_captioned(decode(item.labelled.encoded, task.limits), _verdict(item, task)) for item in items]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)])


def _verdict(item: Evaluated, task: TaskSpec) -> str:
    assert isinstance(item.prediction, Classification)  # noqa: S101 - sheets are drawn of classifications only
    sure = float(item.prediction.probability.max())
    short = [info.name.replace("diabetic_retinopathy", "retinopathy") for info in task.classes]
    return f"{short[item.tally.truth]}, not {short[item.prediction.label]} {sure:.2f}"


def _coloured(mask: Picture, task: TaskSpec) -> Picture:
    colours = np.array([info.colour for info in task.classes], np.uint8)
    return colours[mask]


def _errors(image: Picture, truth: Picture, answer: Picture, task: TaskSpec) -> Picture:
    drawn = (image // 2).astype(np.uint8)
    if task.kind is Kind.BINARY_SEGMENTATION:
        drawn[(truth > 0) & (answer == 0)] = _MISSED
        drawn[(truth == 0) & (answer > 0)] = _INVENTED
        return drawn
    drawn[(truth != answer) & ((truth > 0) | (not task.unlabeled))] = _WRONG
    return drawn


def _captioned(picture: Picture, text: str) -> Picture:
    height_px, width_px = picture.shape[:2]
    scale = _SIDE_PX / max(height_px, width_px)
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cell = np.zeros((_SIDE_PX + _LINE_PX, _SIDE_PX, 3), np.uint8)
    cell[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=method)
    place = (4, _SIDE_PX + _LINE_PX - 8)
    cv2.putText(cell, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def _surety(item: Judgement) -> float:
    return 0.0 if item.tally.probability is None else float(item.tally.probability.max())
