"""Who is photographed and how: the traits of a subject and the camera's view of one eye.

Lengths are degrees of visual angle (one degree is about 0.3 mm of retina), so vessel calibre, disc and fovea keep
their true proportions whatever the camera's field or the image's size. The origin is the centre of the optic disc,
+x points to the temple and +y down: a left eye as photographed. fundus mirrors right eyes at the very end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One value a pixel: float32, size_px x size_px."""


@dataclass(frozen=True)
class Subject:
    """What both eyes of one person share, and the camera that took them.

    Colours and amounts are relative: 1.0 is the average retina, `reflectance_rgb` is in units of its red channel.
    """

    reflectance_rgb: tuple[float, float, float]
    exposure: float
    tessellation: float
    sheen: float
    disc_radius_deg: float
    disc_pallor: float
    cup_to_disc: float
    fovea_deg: tuple[float, float]
    vein_radius_deg: float
    artery_to_vein: float
    tortuosity: float
    vessel_contrast: float
    field_deg: float
    disc_centred: bool
    diseased: bool


@dataclass(frozen=True)
class View:
    """A square image of `size_px` pixels that shows a disc of `radius_deg` about `centre_deg`."""

    size_px: int
    centre_deg: tuple[float, float]
    radius_deg: float
    px_per_deg: float

    def to_px(self, points_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Image coordinates (n, 2) in pixels, x first; the first pixel spans 0 to 1."""
        return np.asarray((points_deg - np.asarray(self.centre_deg)) * self.px_per_deg + self.size_px / 2)

    def grid_deg(self, about_deg: tuple[float, float]) -> tuple[Plane, Plane]:
        """x (1, size) and y (size, 1) of every pixel's centre in degrees, seen from `about_deg`."""
        axis = ((np.arange(self.size_px) + 0.5 - self.size_px / 2) / self.px_per_deg).astype(np.float32)
        x_deg = axis + np.float32(self.centre_deg[0] - about_deg[0])
        y_deg = axis + np.float32(self.centre_deg[1] - about_deg[1])
        return x_deg[None, :], y_deg[:, None]

    def distance_deg(self, about_deg: tuple[float, float]) -> Plane:
        """Every pixel's distance from `about_deg` in degrees."""
        x_deg, y_deg = self.grid_deg(about_deg)
        return np.asarray(np.hypot(x_deg, y_deg), dtype=np.float32)


def draw_subject(rng: np.random.Generator) -> Subject:
    """A person at random; the ranges were set by eye and by measurement against photographs of children and adults."""
    wide = rng.random() < 0.35
    return Subject(
        reflectance_rgb=(1.0, rng.uniform(0.22, 0.33), rng.uniform(0.02, 0.08)),
        exposure=rng.uniform(0.55, 1.2) if rng.random() < 0.85 else rng.uniform(1.4, 2.2),
        tessellation=rng.uniform(0.2, 1.6),
        sheen=rng.uniform(0.2, 1.9),
        disc_radius_deg=rng.uniform(2.7, 3.4),
        disc_pallor=rng.uniform(0.6, 1.3),
        cup_to_disc=rng.uniform(0.3, 0.6),
        fovea_deg=(rng.uniform(14.5, 16.5), rng.uniform(0.8, 2.4)),
        vein_radius_deg=rng.uniform(0.235, 0.30),
        artery_to_vein=rng.uniform(0.68, 0.82),
        tortuosity=rng.uniform(0.6, 1.5),
        vessel_contrast=rng.uniform(0.85, 1.2),
        field_deg=rng.uniform(38.0, 48.0) if wide else rng.uniform(29.0, 33.0),
        disc_centred=not wide or rng.random() < 0.4,
        diseased=rng.random() < 0.3,
    )


def draw_view(subject: Subject, rng: np.random.Generator, size_px: int) -> View:
    """The camera aimed at one eye; one picture in six cuts the field off at the image's edge."""
    fovea_x_deg, fovea_y_deg = subject.fovea_deg
    aim = rng.uniform(-0.08, 0.08) if subject.disc_centred else rng.uniform(0.45, 0.9)
    centre_deg = (aim * fovea_x_deg, 0.5 * fovea_y_deg + rng.normal(0.0, 0.8))
    diameter = rng.uniform(1.01, 1.06) if rng.random() < 1 / 6 else rng.uniform(0.93, 0.975)
    return View(size_px, centre_deg, subject.field_deg / 2, diameter * size_px / subject.field_deg)
