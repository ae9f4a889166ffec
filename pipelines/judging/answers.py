"""What a served release answers to every picture of a test set, as one figure a picture."""

import math
from collections.abc import Mapping
from pathlib import Path

from fovea_client import Client
from rich.console import Console

from pipelines.judging.frozen import FrozenSet
from pipelines.stages import served
from tasks import Kind
from tasks.quality import count, quality

# Picture → Dice, mean IoU or the probability of the true class: see `pipelines.infer.FIGURES`.
Figures = Mapping[str, float]


def figures_of(release: Path, profile: str, frozen: FrozenSet, folder: Path, console: Console) -> Figures:
    """Serve the release, ask for every picture and return picture → figure, 0 to 1.

    Raises:
        StageError: the server does not start.
        fovea_client.FoveaError: it refuses a picture or does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with served(console, release, folder, profile) as url, Client(url, timeout_s=60.0) as client:
        return {picture.name: _figure(client, frozen, index) for index, picture in enumerate(frozen.pictures)}


def _figure(client: Client, frozen: FrozenSet, index: int) -> float:
    picture, task = frozen.pictures[index], frozen.task
    if task.kind is Kind.CLASSIFICATION:
        answer = client.classify(picture.image, task=task.name)
        return float(answer.probability[task.classes[int(picture.truth)].name])
    mask = client.segment(picture.image, task=task.name).mask
    figure = float(quality(count(mask, picture.truth, picture.judged, task), task))
    # Nothing there and nothing found has no Dice, and is right.
    return 1.0 if math.isnan(figure) else figure
