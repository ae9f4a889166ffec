"""Pictures that a quantised network's ranges are taken from: some that the network was trained on, and no others."""

from pathlib import Path

import numpy as np

from export.artefact import Pixels
from export.errors import ExportError
from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.processing import preprocess
from training.sources import read_samples
from training.weights import ModelCard

# Ranges settle after a few pictures; every further one costs time.
_PICTURES = 16


def read_calibration(root: str | None, card: ModelCard, task: TaskSpec) -> list[Pixels]:
    """Return fitted pictures that the model was trained on: uint8 (size_px, size_px, 3), a repeatable draw of them.

    Args:
        root: of the labelled data set; where the model was trained if None.
        card: of the model.
        task: of the model.

    Raises:
        ExportError: no such data set is known, none of its pictures was trained on, or one cannot be used.
        training.errors.DataError: `root` is no data set of the task.
    """
    place = root or card.config.get("data", {}).get("root")
    if not place:
        raise ExportError(
            "quantisation needs pictures that the model was trained on; name their data set with calibration="
        )
    known = set(card.trained_on)
    learnt = [sample for sample in read_samples(Path(place), task) if sample.digest[:16] in known]
    if not learnt:
        raise ExportError(
            f"the model was trained on none of the pictures in {place}: others would not do for calibration; name the "
            "data set that it was trained on with calibration="
        )
    order = np.random.default_rng(0).permutation(len(learnt))[:_PICTURES]
    try:
        return [preprocess(learnt[index].read().encoded, task).pixels for index in order]
    except ImageError as error:
        raise ExportError(f"a picture to calibrate on cannot be used: {error}") from error
