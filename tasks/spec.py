"""What a task is: the one description that training, export, serving and tests are held to."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the network answers with."""

    BINARY_SEGMENTATION = "binary_segmentation"  # per pixel, the probability of the one foreground class
    SEMANTIC_SEGMENTATION = "semantic_segmentation"  # per pixel, one of several classes
    CLASSIFICATION = "classification"  # one class for the whole picture


class FieldOfView(StrEnum):
    """Which part of the picture carries information, and therefore may carry a prediction."""

    FUNDUS = "fundus"  # the lit disc of a retinal camera, found in the picture
    FULL_FRAME = "full_frame"


@dataclass(frozen=True)
class ClassInfo:
    """A class: its name and the RGB colour (0–255) it is drawn in."""

    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class ImageLimits:
    """What an encoded image may be. All but the bytes are checked from the file's header, before decoding.

    The longest side is limited too: a picture is fitted by the square around it, whose memory grows with that side.
    """

    max_bytes: int = 32 * 1024 * 1024
    min_side_px: int = 32
    max_side_px: int = 10_000
    max_pixels: int = 50_000_000


@dataclass(frozen=True)
class TaskSpec:
    """A prediction task.

    Attributes:
        name: prefix of the task's models in the model repository.
        kind: what the network answers with.
        classes: by class index; index 0 of a segmentation is the background or `unlabeled`.
        size_px: side of the square picture that the network takes.
        field_of_view: where a prediction may be; outside it mask and probability are 0.
        threshold: probability, 0–1, from which on a pixel belongs to the foreground (binary segmentation).
        unlabeled: whether class 0 means that nobody said what is there: never predicted, learnt from or judged.
        limits: what an encoded image may be.
    """

    name: str
    kind: Kind
    classes: tuple[ClassInfo, ...]
    size_px: int
    field_of_view: FieldOfView
    threshold: float = 0.5
    unlabeled: bool = False
    limits: ImageLimits = ImageLimits()

    @property
    def predicted(self) -> tuple[ClassInfo, ...]:
        """Return the classes that the network tells apart, in the order of its outputs."""
        return self.classes[1:] if self.unlabeled else self.classes

    @property
    def outputs(self) -> int:
        """Return how many values the network answers with, for each pixel or for the picture."""
        return 1 if self.kind is Kind.BINARY_SEGMENTATION else len(self.predicted)
