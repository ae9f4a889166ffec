"""What a segmentation is to the caller, and how the server's answer is read into it."""

from dataclasses import dataclass, field

import numpy as np

from fovea_client.errors import InvalidImageError, ServerError
from fovea_client.png import Image
from fovea_client.requests import InferResult, Tensor
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.timings import ServerTimings, server_timings


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """One image's answer, at the image's own size.

    Attributes:
        mask: uint8 HxW, each pixel's class index; read-only.
        probability: uint8 HxW, 0 to 255 for 0 to 1; read-only. Of the foreground where there are two classes, else of
            the class in the mask.
        task: the task that was asked, which is its model's name.
        model_version: the version of the task's model that answered.
        classes: the classes, `classes[i]` for mask value i.
        elapsed_ms: milliseconds from sending the request to having its answer, retries included.
        server: what the server spent, or None where it does not say.
    """

    mask: Image = field(repr=False)
    probability: Image = field(repr=False)
    task: str
    model_version: str
    classes: tuple[ClassInfo, ...]
    elapsed_ms: float
    server: ServerTimings | None = None

    def area_px(self) -> dict[str, int]:
        """Pixels of each class by its name, in the order of the classes; they add up to the image's."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes))
        return {info.name: int(counts[info.index]) for info in self.classes}

    def area(self) -> dict[str, float]:
        """Each class's share of the image, 0 to 1, by its name; the shares add up to 1."""
        return {name: pixels / self.mask.size for name, pixels in self.area_px().items()}

    def overlay(self, image: Image, *, opacity: float = 0.6) -> Image:
        """The image with every class but the first, the background, tinted in its colour.

        Args:
            image: uint8 of the mask's size, HxW grey or HxWx3 RGB.
            opacity: 0 (invisible) to 1 (covers the image).

        Returns:
            uint8 HxWx3, RGB; a new array.

        Raises:
            InvalidImageError: another data type, size or opacity.
        """
        if image.dtype != np.uint8 or image.shape[:2] != self.mask.shape or image.shape[2:] not in ((), (3,)):
            raise InvalidImageError(
                f"image is {image.dtype} of shape {image.shape}: pass the segmented image, uint8 of {self.mask.shape}"
            )
        if not 0 <= opacity <= 1:
            raise InvalidImageError(f"opacity is {opacity}: give 0 to 1")
        tinted = np.repeat(image[..., np.newaxis], 3, axis=2) if image.ndim == 2 else image.copy()
        for info in self.classes[1:]:
            there = self.mask == info.index
            colour = np.array(info.colour, np.float32)
            tinted[there] = np.rint(tinted[there] * np.float32(1 - opacity) + colour * np.float32(opacity))
        return tinted


def segmentation(task: TaskInfo, result: InferResult, *, elapsed_ms: float) -> Segmentation:
    """The answer of a task's model; raises ServerError unless it is two uint8 images of one size, of known classes."""
    mask = _image(result, "mask", task.name)
    probability = _image(result, "probability", task.name)
    if mask.shape != probability.shape:
        shapes = f"mask {mask.shape}, probability {probability.shape}"
        raise ServerError(f"model {task.name!r}: outputs differ in size ({shapes})", model=task.name)
    largest = int(mask.max(initial=0))
    if largest >= len(task.classes):
        described = f"{len(task.classes)} classes were described"
        raise ServerError(f"model {task.name!r}: the mask holds class {largest}, {described}", model=task.name)
    server = server_timings(result, task.name)
    return Segmentation(mask, probability, task.name, result.model_version, task.classes, elapsed_ms, server)


def _image(result: InferResult, name: str, task: str) -> Tensor:
    image = result.outputs.get(name)
    if image is None or image.dtype != np.uint8 or image.ndim != 2:
        found = "missing" if image is None else f"{image.dtype} of shape {image.shape}"
        raise ServerError(f"model {task!r}: output {name!r} is {found}, expected uint8 HxW", model=task)
    return image
