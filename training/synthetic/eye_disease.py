"""Drawn fundus photographs changed as four states of a retina look from afar, in folders by class.

A clouded lens veils the picture, bleedings and exudates speckle it, a deep cup widens the pale centre of the disc. They
show that classifiers learn at all; they say nothing about diseases.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.synthetic.files import OnProgress, Picture, check_arguments, write_pictures
from training.synthetic.fundus import SMALLEST_PX, Eye, Fundus, generate_fundus

GENERATOR_VERSION = 1
_Pixels = NDArray[np.uint8]


def write_eye_disease(
    root: Path, *, subjects: int, seed: int = 0, size_px: int = 224, on_progress: OnProgress | None = None
) -> Path:
    """Return `root`, now holding cataract/, diabetic_retinopathy/, glaucoma/ and normal/ with JPEG photographs.

    Patients take the classes in turn. Two of three have both eyes, `<number>_left` and `<number>_right`; of the others
    one picture is there, named after the class. Retinopathy is `.jpeg`, as in the public set.

    Raises:
        ValueError: fewer than 8 subjects (two of each class), a negative seed or a size below 128 pixels.
        FileExistsError: `root` holds something else.
    """
    check_arguments(subjects, 2 * len(CHANGES), seed, size_px, SMALLEST_PX)
    numbers = range(1, subjects + 1)
    pictures = [picture for number in numbers for picture in _pictures_of(root, number, seed, size_px)]
    parameters: dict[str, object] = {"task": "eye_disease", "subjects": subjects, "seed": seed, "size_px": size_px}
    return write_pictures(root, pictures, parameters | {"generator": GENERATOR_VERSION}, on_progress)


def _pictures_of(root: Path, number: int, seed: int, size_px: int) -> list[Picture]:
    disease = list(CHANGES)[number % len(CHANGES)]
    suffix = ".jpeg" if disease == "diabetic_retinopathy" else ".jpg"
    eyes: dict[str, Eye] = {f"{number}_left": "L", f"{number}_right": "R"}
    if number % 3 == 0:
        eyes = {f"{disease}_{number:03d}": "L"}
    return [
        Picture((root / disease / f"{stem}{suffix}",), partial(_save, disease, (seed, number), eye, size_px))
        for stem, eye in eyes.items()
    ]


def _save(disease: str, seed: tuple[int, int], eye: Eye, size_px: int, paths: tuple[Path, ...]) -> None:
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    rng = np.random.default_rng([state, "LR".index(eye)])
    fundus = generate_fundus(state, size_px=size_px, eye=eye)
    changed = CHANGES[disease](fundus, rng)
    Image.fromarray(np.where(fundus.field_of_view[:, :, None], changed, fundus.image)).save(paths[0], quality=92)


def _cataract(fundus: Fundus, rng: np.random.Generator) -> _Pixels:
    """Scattered light: less detail, less contrast, a yellow veil."""
    sigma_px = rng.uniform(0.012, 0.025) * fundus.image.shape[0]
    blurred = cv2.GaussianBlur(fundus.image, (0, 0), sigma_px).astype(np.float32)
    veil = np.array([150.0, 130.0, 80.0], np.float32)
    share = rng.uniform(0.35, 0.6)
    return np.asarray(blurred * (1 - share) + veil * share, dtype=np.uint8)


def _diabetic_retinopathy(fundus: Fundus, rng: np.random.Generator) -> _Pixels:
    """Dark red bleedings and bright yellow exudates."""
    image = fundus.image.copy()
    rows, columns = np.nonzero(fundus.field_of_view)
    for index in rng.choice(len(rows), size=int(rng.integers(25, 50)), replace=False):
        colour = (210, 190, 90) if rng.random() < 0.5 else (70, 10, 10)
        radius_px = int(rng.uniform(0.008, 0.025) * image.shape[0]) + 1
        cv2.circle(image, (int(columns[index]), int(rows[index])), radius_px, colour, -1, cv2.LINE_AA)
    return np.asarray(image)


def _glaucoma(fundus: Fundus, rng: np.random.Generator) -> _Pixels:
    """A large pale cup where the widest vessels meet, which is the disc."""
    image = fundus.image.copy()
    size_px = image.shape[0]
    width = cv2.GaussianBlur(fundus.vessels.astype(np.float32), (0, 0), 0.05 * size_px)
    row, column = divmod(int(np.argmax(width)), size_px)
    cv2.circle(image, (column, row), int(rng.uniform(0.09, 0.13) * size_px), (245, 225, 180), -1, cv2.LINE_AA)
    return np.asarray(image)


def _normal(fundus: Fundus, rng: np.random.Generator) -> _Pixels:
    del rng
    return fundus.image


CHANGES: dict[str, Callable[[Fundus, np.random.Generator], _Pixels]] = {
    "cataract": _cataract,
    "diabetic_retinopathy": _diabetic_retinopathy,
    "glaucoma": _glaucoma,
    "normal": _normal,
}
