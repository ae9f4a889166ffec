"""The task's one figure is the one that training's evaluation reports under the same name."""

import numpy as np
import pytest
from untrained import drawn_samples, untrained

from tasks import TASKS, Kind, TaskSpec
from tasks.held_out import judged_pixels
from tasks.processing import Classification
from tasks.quality import FIGURES, count, quality
from training.evaluation import evaluate, pooled_metrics

VESSELS, DUBAI = TASKS["vessels"], TASKS["dubai_aerial"]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_agrees_with_the_evaluation(task: TaskSpec) -> None:
    evaluated = list(evaluate(untrained(task), drawn_samples(task, 4), task))
    total = None
    for item in evaluated:
        answer = item.prediction
        found = np.array(answer.label) if isinstance(answer, Classification) else answer.mask
        truth = np.array(item.sample.label, np.uint8) if item.labelled.mask is None else item.labelled.mask
        matrix = count(found, truth, judged_pixels(truth, item.labelled.field_of_view, task), task)
        total = matrix if total is None else total + matrix
        if task.kind is not Kind.CLASSIFICATION:
            assert quality(matrix, task) == pytest.approx(item.metrics[FIGURES[task.kind]])
    assert quality(total, task) == pytest.approx(pooled_metrics(evaluated, task)[FIGURES[task.kind]])


def test_unlabeled_pixels_do_not_count() -> None:
    truth, mask = np.array([[0, 1, 2]], np.uint8), np.array([[5, 1, 2]], np.uint8)
    assert quality(count(mask, truth, judged_pixels(truth, None, DUBAI), DUBAI), DUBAI) == 1.0


def test_nothing_to_find_and_nothing_found_is_right() -> None:
    empty = np.zeros((3, 3), np.uint8)
    assert quality(count(empty, empty, empty == 0, VESSELS), VESSELS) == 1.0
