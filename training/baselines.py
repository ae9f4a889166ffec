"""What colour alone achieves: the score that a network has to beat to have seen more than its pictures' source.

Gradient boosting over histograms (Ke et al., "LightGBM", NeurIPS 2017, as in scikit-learn's HistGradientBoosting) on an
8 × 8 thumbnail with colour histograms (classification), or on the colour of one pixel (semantic segmentation).
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from tasks import Kind, TaskSpec
from tasks.imaging import decode
from tasks.processing import Classification, Prediction, preprocess
from training.errors import ConfigError, DataError
from training.evaluation.judging import judge
from training.evaluation.prediction import Answer
from training.evaluation.tally import Judgement
from training.samples import Labelled, Sample

_THUMBNAIL_PX = 8
_HISTOGRAM_BINS = 16
# Colours are told apart by the upper five bits of each channel: 32,768 of them are classified once, not every pixel.
_COLOUR_BITS = 5
_PIXELS_A_PICTURE = 4_000

Features = npt.NDArray[np.float32]


def has_baseline(task: TaskSpec) -> bool:
    """Return whether colour alone can be asked; a vessel's colour is that of its neighbourhood, only darker."""
    return task.kind is not Kind.BINARY_SEGMENTATION


def baseline(train: Sequence[Sample], held_out: Sequence[Sample], task: TaskSpec) -> list[Judgement]:
    """Learn from colour alone, and return the held-out pictures judged as a network's answers are.

    Repeatable: equal samples give equal answers.

    Args:
        train: pictures to learn from; none of a held-out subject.
        held_out: pictures to judge.
        task: a classification or a semantic segmentation.

    Raises:
        ConfigError: a binary segmentation.
        DataError: fewer than two classes to learn, or a picture that cannot be used.
    """
    if not has_baseline(task):
        raise ConfigError(f"{task.name} is a binary segmentation, for which there is no colour baseline; leave it out")
    if task.kind is Kind.CLASSIFICATION:
        return _classify(train, held_out, task)
    return _segment(train, held_out, task)


def picture_features(encoded: bytes, task: TaskSpec) -> Features:
    """Return an 8 × 8 RGB thumbnail and the histograms of R, G, B, hue, saturation and value: float32 (288,), 0–1."""
    pixels = preprocess(encoded, task).pixels
    thumbnail = cv2.resize(pixels, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA).ravel() / 255
    planes = np.concatenate([pixels, cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL)], axis=2).reshape(-1, 6).T
    shares = [np.histogram(plane, _HISTOGRAM_BINS, (0, 256))[0] / plane.size for plane in planes]
    return np.asarray(np.concatenate([thumbnail, *shares]), np.float32)


def _classify(train: Sequence[Sample], held_out: Sequence[Sample], task: TaskSpec) -> list[Judgement]:
    features = np.stack([picture_features(sample.read().encoded, task) for sample in train])
    model = _fit(features, np.array([sample.label for sample in train]))
    judged = []
    for sample in held_out:
        labelled = sample.read()
        probability = _all_classes(model, picture_features(labelled.encoded, task)[None], len(task.classes))[0]
        answer = Answer(Classification(int(probability.argmax()), probability))
        judged.append(judge(sample, labelled, answer, task).judgement())
    return judged


def _segment(train: Sequence[Sample], held_out: Sequence[Sample], task: TaskSpec) -> list[Judgement]:
    first = len(task.classes) - len(task.predicted)
    parts = [_labelled_colours(sample.read(), first, index) for index, sample in enumerate(train)]
    colours, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
    model = _fit(_colour_features(colours), classes)
    every = np.arange(1 << 3 * _COLOUR_BITS, dtype=np.int64)
    table = np.rint(_all_classes(model, _colour_features(every), task.outputs) * 255).astype(np.uint8)
    judged = []
    for sample in held_out:
        labelled = sample.read()
        scores = np.moveaxis(table[_colours(decode(labelled.encoded, task.limits))], 2, 0)
        mask = (scores.argmax(axis=0) + first).astype(np.uint8)
        answer = Answer(Prediction(mask, scores.max(axis=0)), scores)
        judged.append(judge(sample, labelled, answer, task).judgement())
    return judged


def _labelled_colours(labelled: Labelled, first: int, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return colours and outputs of an even draw of the labelled pixels."""
    if labelled.mask is None:
        raise DataError("a picture without a mask cannot teach a segmentation; ingest the data again")
    places = np.flatnonzero(labelled.mask >= first)
    chosen = np.random.default_rng(seed).choice(places, min(_PIXELS_A_PICTURE, places.size), replace=False)
    return _colours(decode(labelled.encoded)).ravel()[chosen], labelled.mask.ravel()[chosen].astype(np.int64) - first


def _colours(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return the number of each pixel's colour: int64 (height, width), 0–32,767."""
    red, green, blue = np.moveaxis(image.astype(np.int64) >> (8 - _COLOUR_BITS), 2, 0)
    return np.asarray((red << 2 * _COLOUR_BITS) | (green << _COLOUR_BITS) | blue)


def _colour_features(colours: npt.NDArray[np.int64]) -> Features:
    """Return red, green, blue, hue, saturation and value of colour numbers: float32 (colours, 6)."""
    highest = (1 << _COLOUR_BITS) - 1
    channels = [(colours >> shift & highest) * 255 // highest for shift in (2 * _COLOUR_BITS, _COLOUR_BITS, 0)]
    rgb = np.stack(channels, axis=1).astype(np.uint8)
    hsv = cv2.cvtColor(rgb[:, None], cv2.COLOR_RGB2HSV_FULL)[:, 0]
    return np.asarray(np.concatenate([rgb, hsv], axis=1), np.float32)


def _fit(features: Features, classes: npt.NDArray[np.int64]) -> HistGradientBoostingClassifier:
    if len(np.unique(classes)) < 2:
        raise DataError("the colour baseline has one class only to learn from; give pictures of all classes")
    # Every class weighs the same, as it does in the macro averages that the answers are judged by. It is the strongest
    # of three: over Dubai's six tiles mean IoU 0.382; 0.372 weighted by the frequency's root, 0.342 without weights.
    model = HistGradientBoostingClassifier(class_weight="balanced", early_stopping=False, random_state=0)
    return model.fit(features, classes)


def _all_classes(model: HistGradientBoostingClassifier, features: Features, outputs: int) -> Features:
    """Return probabilities (rows, outputs); a class that was never seen has 0."""
    probability = np.zeros((len(features), outputs), np.float32)
    probability[:, model.classes_] = model.predict_proba(features)
    return probability
