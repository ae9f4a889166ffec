"""Judging: serving's own path, counts instead of pixels, intervals over subjects, calibration."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from stand_in import ColourNetwork, ConstantNetwork, small_task, stand_in_samples

from tasks import TASKS, Kind, TaskSpec
from tasks.metrics import class_scores
from tasks.processing import Classification, Prediction, postprocess, preprocess
from training.errors import DataError
from training.evaluation import Evaluated, evaluate, fit_calibration, intervals, pooled_metrics, predict
from training.evaluation.calibrating import best_temperature
from training.evaluation.figures import matrix_of
from training.samples import Labelled, Sample
from training.serving_module import Calibration, ServingModule

every_task = pytest.mark.parametrize("task", [small_task(name) for name in TASKS], ids=TASKS)


def judged(task: TaskSpec, noise: float = 0.0, sharpness: float = 40.0, *, tta: bool = False) -> list[Evaluated]:
    module = ServingModule(ColourNetwork(task, sharpness), task)
    return list(evaluate(module, stand_in_samples(task, noise=noise), task, tta=tta))


def with_mask(sample: Sample, mask: np.ndarray | None, view: np.ndarray | None = None) -> Sample:
    labelled = sample.read()
    return replace(sample, read=lambda: Labelled(labelled.encoded, labelled.suffix, mask, view))


@every_task
@pytest.mark.parametrize("tta", [False, True])
def test_network_that_knows_the_truth_is_perfect(task: TaskSpec, tta: bool) -> None:
    figures = pooled_metrics(judged(task, tta=tta), task)
    names = {"dice", "iou", "full_frame_dice", "mean_iou", "macro_f1", "accuracy", "mcc", "roc_auc", "roc_auc_ovr"}
    assert {name: round(figures[name], 6) for name in names & figures.keys()} == dict.fromkeys(
        names & figures.keys(), 1.0
    )


def test_test_time_augmentation_turns_planes_back() -> None:
    """A network that is right whatever the mirror image shows no difference; one that answers by place averages."""
    task = small_task("vessels")

    class LeftHalf(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits = torch.full_like(image[:, :1], -50.0)
            logits[..., : image.shape[3] // 2] = 50.0
            return logits

    data = stand_in_samples(task)[0].read().encoded
    plain = predict(ServingModule(LeftHalf(), task), data, task)
    mirrored = predict(ServingModule(LeftHalf(), task), data, task, tta=True)
    assert isinstance(plain, Prediction)
    assert isinstance(mirrored, Prediction)
    assert set(np.unique(plain.probability)) == {0, 255}
    assert set(np.unique(mirrored.probability)) == {128}, "half of the mirror images say vessel, everywhere"


@every_task
def test_prediction_is_what_serving_answers(task: TaskSpec) -> None:
    module = ServingModule(ColourNetwork(task, 3.0), task)
    data = stand_in_samples(task, noise=0.1)[1].read().encoded
    fitted = preprocess(data, task)
    with torch.inference_mode():
        served = module(torch.from_numpy(fitted.pixels)[None])
    answer = predict(module, data, task)
    if isinstance(answer, Classification):
        assert np.array_equal(answer.probability, served[0].numpy())
    elif task.kind is Kind.BINARY_SEGMENTATION:
        expected = postprocess(served[0].numpy(), fitted.field_of_view, fitted.geometry, task)
        assert np.array_equal(answer.probability, expected.probability)
    else:
        assert np.array_equal(answer.mask, served[0][0].numpy())
        assert np.array_equal(answer.probability, served[1][0].numpy())


def test_vessels_figures_equal_scikit_learn_on_the_pixels_inside_and_on_all() -> None:
    task = small_task("vessels")
    inside = np.zeros((64, 64), np.bool_)
    inside[8:50, 4:60] = True
    samples = [with_mask(each, each.read().mask, inside) for each in stand_in_samples(task, noise=0.2)]
    items = list(evaluate(ServingModule(ColourNetwork(task, 0.3), task), samples, task))
    figures = pooled_metrics(items, task)
    for prefix, view in (("", inside), ("full_frame_", np.ones((64, 64), np.bool_))):
        truth = np.concatenate([item.labelled.mask[view] > 0 for item in items])
        mask = np.concatenate([item.prediction.mask[view] > 0 for item in items])
        score = np.concatenate([item.prediction.probability[view] for item in items])
        expected = {
            "dice": reference.f1_score(truth, mask),
            "iou": reference.jaccard_score(truth, mask),
            "precision": reference.precision_score(truth, mask),
            "sensitivity": reference.recall_score(truth, mask),
            "mcc": reference.matthews_corrcoef(truth, mask),
            "roc_auc": reference.roc_auc_score(truth, score),
            "pr_auc": reference.average_precision_score(truth, score),
        }
        assert {name: figures[prefix + name] for name in expected} == pytest.approx(expected)
    assert figures["per_image_dice"] == pytest.approx(np.mean([item.metrics["dice"] for item in items]))


@pytest.mark.parametrize("name", ["dubai_aerial", "landcover_ai"])
def test_semantic_figures_equal_scikit_learn_on_the_labelled_pixels(name: str) -> None:
    task = small_task(name)
    items = judged(task, noise=0.3)
    truth = np.concatenate([item.labelled.mask.ravel() for item in items])
    mask = np.concatenate([item.prediction.mask.ravel() for item in items])
    known = truth > 0 if task.unlabeled else np.ones(truth.shape, np.bool_)
    figures = pooled_metrics(items, task)
    assert figures["mean_iou"] == pytest.approx(reference.jaccard_score(truth[known], mask[known], average="macro"))
    assert figures["macro_f1"] == pytest.approx(reference.f1_score(truth[known], mask[known], average="macro"))
    assert figures["mcc"] == pytest.approx(reference.matthews_corrcoef(truth[known], mask[known]))
    matrix = matrix_of([item.tally for item in items], task)
    assert np.array_equal(matrix, reference.confusion_matrix(truth[known], mask[known]))


def test_figures_of_nothing_are_not_defined() -> None:
    scores = class_scores(np.zeros((5, 5), np.int64))
    assert all(math.isnan(value) for value in (scores.accuracy, *scores.iou, *scores.f1))


def test_unlabeled_pixels_never_count() -> None:
    task = small_task("dubai_aerial")
    sample = stand_in_samples(task)[0]
    mask = sample.read().mask
    module = ServingModule(ColourNetwork(task), task)
    hidden = np.where(np.arange(64)[:, None] < 32, 0, mask).astype(np.uint8)
    whole, half = (next(evaluate(module, [with_mask(sample, each)], task)) for each in (mask, hidden))
    counted = [int(item.tally.counts["matrix"].sum()) for item in (whole, half)]
    assert counted == [int((mask > 0).sum()), int((hidden > 0).sum())]
    assert half.metrics["accuracy"] == 1.0


def test_classification_figures_equal_scikit_learn() -> None:
    task = small_task("eye_disease")
    samples = stand_in_samples(task, count=40)
    generator = np.random.default_rng(0)
    relabelled = [replace(each, label=int(generator.integers(0, 4))) for each in samples[:20]] + samples[20:]
    items = list(evaluate(ServingModule(ColourNetwork(task, 1.0), task), relabelled, task))
    truth = [item.sample.label for item in items]
    label = [item.prediction.label for item in items]
    probability = np.stack([item.prediction.probability for item in items])
    figures = pooled_metrics(items, task)
    assert figures["macro_f1"] == pytest.approx(reference.f1_score(truth, label, average="macro"))
    expected = reference.roc_auc_score(truth, probability.astype(np.float64), multi_class="ovr")
    assert figures["roc_auc_ovr"] == pytest.approx(expected, abs=1e-6)
    per_class = reference.recall_score(truth, label, average=None)
    assert [figures[f"recall_{info.name}"] for info in task.classes] == pytest.approx(list(per_class))


@every_task
def test_intervals_hold_the_figure_and_are_repeatable(task: TaskSpec) -> None:
    items = [item.judgement() for item in judged(task, noise=0.3, sharpness=1.0)]
    found = intervals(items, task, resamples=200, seed=1)
    figures = pooled_metrics(items, task)
    assert found.keys() == figures.keys()
    assert str(found) == str(intervals(items, task, resamples=200, seed=1))
    name = {"vessels": "dice", "eye_disease": "accuracy"}.get(task.name, "mean_iou")
    low, high = found[name]
    assert low <= figures[name] <= high
    assert intervals(items, task, resamples=0) == {}


def test_intervals_resample_subjects_and_not_pictures() -> None:
    """Two subjects, one all right and one all wrong: a resample has one or both, never a mixture of pictures."""
    task = small_task("eye_disease")
    samples = [replace(each, subject="a" if index < 4 else "b") for index, each in enumerate(stand_in_samples(task))]
    wrong = [replace(each, label=(each.label + 1) % 4) if each.subject == "b" else each for each in samples]
    items = list(evaluate(ServingModule(ColourNetwork(task), task), wrong, task))
    assert intervals(items, task, resamples=400)["accuracy"] == (0.0, 1.0)


def test_temperature_undoes_exaggeration() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4000, 4, generator=generator)
    target = torch.distributions.Categorical(logits=logits).sample()
    truth = best_temperature(logits, target)
    assert truth == pytest.approx(1.0, abs=0.15)
    assert best_temperature(logits * 3, target) == pytest.approx(3 * truth, rel=1e-3)


def test_calibration_makes_a_boasting_classifier_honest() -> None:
    task = small_task("eye_disease")
    samples = stand_in_samples(task, count=40)
    wrong = [replace(each, label=(each.label + index % 5 // 4) % 4) for index, each in enumerate(samples)]
    network = ColourNetwork(task, 10.0)
    before, after = (
        pooled_metrics(list(evaluate(ServingModule(network, task, calibration), wrong, task)), task)
        for calibration in (Calibration(), fit_calibration(network, wrong, task))
    )
    assert after["ece"] < before["ece"] / 2
    assert after["accuracy"] == before["accuracy"], "a temperature changes no arg-max"


def test_threshold_is_the_one_of_largest_dice() -> None:
    """Vessels score .3 and the rest .1: served at .5 nothing would be found."""
    task = small_task("vessels")
    network = ColourNetwork(task, sharpness=1.0)

    class Timid(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            probability = torch.where(network(image) > 0, 0.3, 0.1)
            return torch.logit(probability)

    samples = stand_in_samples(task, count=4)
    calibration = fit_calibration(Timid(), samples, task)
    assert 0.1 < calibration.threshold < 0.3
    assert fit_calibration(Timid(), samples, task, learnt=True) == Calibration()
    served = pooled_metrics(list(evaluate(ServingModule(Timid(), task, calibration), samples, task)), task)
    assert served["dice"] == 1.0
    assert pooled_metrics(list(evaluate(ServingModule(Timid(), task), samples, task)), task)["dice"] == 0.0


@every_task
def test_calibration_is_repeatable(task: TaskSpec) -> None:
    samples = stand_in_samples(task, count=4, noise=0.2)
    network = ColourNetwork(task, 2.0)
    assert fit_calibration(network, samples, task) == fit_calibration(network, samples, task)


@every_task
def test_network_without_an_opinion_is_judged_as_one(task: TaskSpec) -> None:
    network = ConstantNetwork(task, [0.0] * task.outputs)
    figures = pooled_metrics(list(evaluate(ServingModule(network, task), stand_in_samples(task), task)), task)
    assert figures.get("roc_auc", figures.get("roc_auc_ovr")) == pytest.approx(0.5)
    assert figures["mcc"] == 0.0


def test_what_cannot_be_judged_is_one_sentence() -> None:
    task = small_task("vessels")
    sample = stand_in_samples(task)[0]
    module = ServingModule(ColourNetwork(task), task)
    with pytest.raises(DataError, match="labelled by nothing"):
        list(evaluate(module, [with_mask(sample, None)], task))
    with pytest.raises(DataError, match=r"labelled by \(3, 3\)"):
        list(evaluate(module, [with_mask(sample, np.zeros((3, 3), np.uint8))], task))
    broken = replace(sample, read=lambda: Labelled(b"no picture", ".png"))
    with pytest.raises(DataError, match="picture_00 cannot be judged"):
        list(evaluate(module, [broken], task))
    with pytest.raises(DataError, match="no pictures to fit"):
        fit_calibration(ColourNetwork(task), [], task)
