"""What surrounds the network, for every task."""

import io

import numpy as np
import pytest
from PIL import Image

from tasks import TASKS, FieldOfView, TaskSpec, UnknownTaskError, get_task
from tasks.errors import ShapeError
from tasks.imaging import Geometry, overlay
from tasks.processing import postprocess, postprocess_classes, postprocess_label, prepare, preprocess

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def disc_picture(height_px: int = 300, width_px: int = 400) -> np.ndarray:
    rows, columns = np.mgrid[:height_px, :width_px]
    inside = (rows - height_px / 2) ** 2 + (columns - width_px / 2) ** 2 < (0.45 * height_px) ** 2
    return np.where(inside[:, :, None], np.array([180, 90, 40]), 0).astype(np.uint8)


@every_task
def test_network_input_has_the_networks_size(task: TaskSpec) -> None:
    fitted = prepare(disc_picture(), task)
    assert fitted.pixels.shape == (task.size_px, task.size_px, 3)
    assert fitted.field_of_view.shape == (task.size_px, task.size_px)
    assert set(np.unique(fitted.field_of_view)) <= {0, 1}


@every_task
def test_answer_has_the_pictures_size_and_respects_the_field_of_view(task: TaskSpec) -> None:
    picture = disc_picture()
    fitted = prepare(picture, task)
    everything = np.full((task.size_px, task.size_px), 255, np.uint8)
    answer = postprocess(everything, fitted.field_of_view, fitted.geometry, task)
    assert answer.mask.shape == answer.probability.shape == picture.shape[:2]
    if task.field_of_view is FieldOfView.FUNDUS:
        disc = picture.any(axis=2)
        assert (answer.mask[disc] == 1).mean() > 0.98
        assert (answer.mask[~disc] == 1).mean() < 0.03


@every_task
def test_threshold_decides(task: TaskSpec) -> None:
    level = int(np.ceil(task.threshold * 255))
    geometry = Geometry(task.size_px, task.size_px, 0, 0, task.size_px)
    plane = np.full((task.size_px, task.size_px), level, np.uint8)
    view = np.ones_like(plane)
    assert postprocess(plane, view, geometry, task).mask.all()
    assert not postprocess(plane - 1, view, geometry, task).mask.any()


@every_task
def test_encoded_and_decoded_pictures_give_the_same_input(task: TaskSpec) -> None:
    buffer = io.BytesIO()
    Image.fromarray(disc_picture()).save(buffer, "PNG")
    assert np.array_equal(preprocess(buffer.getvalue(), task).pixels, prepare(disc_picture(), task).pixels)


@every_task
def test_planes_must_agree(task: TaskSpec) -> None:
    with pytest.raises(ShapeError, match="differ in shape"):
        postprocess(np.zeros((4, 4), np.uint8), np.zeros((5, 5), np.uint8), Geometry(4, 4, 0, 0, 4), task)


def test_class_indices_come_back_as_they_were() -> None:
    """Enlarged, a plane of classes 1 and 5 has no class between them; outside the field of view nothing is said."""
    task = get_task("dubai_aerial")
    fitted = prepare(np.full((300, 400, 3), 90, np.uint8), task)
    classes = np.ones((task.size_px, task.size_px), np.uint8)
    classes[:, task.size_px // 2 :] = 5
    prediction = postprocess_classes(classes, np.full_like(classes, 200), fitted.field_of_view, fitted.geometry, task)
    assert prediction.mask.shape == (300, 400)
    assert set(np.unique(prediction.mask)) == {1, 5}
    assert abs(int((prediction.mask == 5).sum()) - 300 * 200) <= 300
    assert (prediction.probability == 200).all()


def test_class_that_is_not_there_is_refused() -> None:
    task = get_task("dubai_aerial")
    plane = np.full((task.size_px, task.size_px), 6, np.uint8)
    with pytest.raises(ShapeError, match="class 6"):
        postprocess_classes(plane, plane, plane, Geometry(512, 512, 0, 0, 512), task)


def test_label_is_the_most_probable_class() -> None:
    task = get_task("eye_disease")
    answer = postprocess_label(np.array([0.1, 0.2, 0.6, 0.1], np.float32), task)
    assert answer.label == 2
    with pytest.raises(ShapeError, match="4 classes"):
        postprocess_label(np.array([0.4, 0.6], np.float32), task)


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ShapeError, match="no numbers"):
        postprocess_label(np.array([0.1, np.nan, 0.6, 0.1], np.float32), get_task("eye_disease"))


@every_task
def test_overlay_tints_the_foreground_only(task: TaskSpec) -> None:
    picture = disc_picture()
    mask = np.zeros(picture.shape[:2], np.uint8)
    mask[100:120] = 1
    drawn = overlay(picture, mask, task.classes)
    assert np.array_equal(drawn[mask == 0], picture[mask == 0])
    assert not np.array_equal(drawn[mask == 1], picture[mask == 1])


def test_overlay_refuses_what_does_not_fit() -> None:
    classes = get_task("vessels").classes
    with pytest.raises(ShapeError, match="equal"):
        overlay(disc_picture(), np.zeros((2, 2), np.uint8), classes)
    with pytest.raises(ShapeError, match="class 2"):
        overlay(disc_picture(), np.full((300, 400), 2, np.uint8), classes)


def test_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(UnknownTaskError, match="vessels"):
        get_task("vesels")


@every_task
@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(2**31 - 1, 2**31 - 1, 0, 0, 512),
        Geometry(512, 512, 0, 0, 2**31 - 1),
        Geometry(512, 512, -(2**31) + 1, 0, 512),
        Geometry(11_000, 40, 0, 0, 512),
    ],
)
def test_geometry_of_no_picture_is_refused(task: TaskSpec, geometry: Geometry) -> None:
    plane = np.zeros((task.size_px, task.size_px), np.uint8)
    with pytest.raises(ShapeError, match="within"):
        postprocess(plane, plane, geometry, task)


@every_task
def test_largest_picture_fits_into_memory(task: TaskSpec) -> None:
    """The worst shape that the limits allow: as long as may be, as many pixels as may be."""
    longest = np.zeros((task.limits.max_pixels // task.limits.max_side_px, task.limits.max_side_px, 3), np.uint8)
    fitted = prepare(longest, task)
    everything = np.full((task.size_px, task.size_px), 255, np.uint8)
    assert postprocess(everything, fitted.field_of_view, fitted.geometry, task).mask.shape == longest.shape[:2]
