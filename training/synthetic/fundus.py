"""The photograph: light through the pupil onto retina and vessels, through the lens onto a sensor.

Depth in a vessel attenuates by Beer and Lambert, blood taking green and blue and letting most red pass. Compression is
left to whoever saves the picture.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import Plane, Subject, View, draw_subject, draw_view
from training.synthetic.retina import Colour, paint_retina, smooth_noise
from training.synthetic.vessel_raster import VesselLayers, rasterise
from training.synthetic.vessel_tree import grow_vessels

Eye = Literal["L", "R"]
SMALLEST_PX = 128
VEIN_ABSORPTION_RGB = (0.34, 0.80, 0.45)
ARTERY_ABSORPTION_RGB = (0.16, 0.68, 0.40)


@dataclass(frozen=True)
class Fundus:
    """A photograph and its truth: image uint8 (H, W, 3) RGB; vessels and field_of_view bool (H, W)."""

    image: NDArray[np.uint8]
    vessels: NDArray[np.bool_]
    field_of_view: NDArray[np.bool_]


def generate_fundus(seed: int, *, size_px: int = 640, eye: Eye = "R") -> Fundus:
    """One eye of the subject that `seed` stands for, H = W = `size_px`; the same arguments give the same pixels.

    Both eyes of a seed share calibre, colour, disc and camera but not the vessels' course. Another `size_px` gives the
    same eye, sampled anew. Vessels never leave the field of view.

    Raises ValueError for a negative seed, a size below 128 pixels or an eye other than "L" and "R".
    """
    _check(seed, size_px, eye)
    subject = draw_subject(np.random.default_rng([seed, 0]))
    rng = np.random.default_rng([seed, 1 + "LR".index(eye)])
    view = draw_view(subject, rng, size_px)
    layers = rasterise(grow_vessels(subject, view, rng), view, rng)
    light = _shine_through(paint_retina(subject, view, rng), layers, subject) * _illumination(view, rng)[..., None]
    aperture = _aperture(view)
    image = _expose(light, aperture, subject, view, rng)
    field_of_view = aperture >= 0.5
    return _as_seen(Fundus(image, layers.mask & field_of_view, field_of_view), eye)


def _check(seed: int, size_px: int, eye: str) -> None:
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if size_px < SMALLEST_PX:
        raise ValueError(f"size_px must be at least {SMALLEST_PX}, where thin vessels still cover a pixel, not {size_px}")
    if eye not in ("L", "R"):
        raise ValueError(f'eye must be "L" or "R", not {eye!r}')


def _shine_through(retina: Colour, layers: VesselLayers, subject: Subject) -> Colour:
    """The retina's light after the blood above it, with the walls' glint."""
    veins, arteries = layers.veins[..., None], layers.arteries[..., None]
    depth = veins * np.array(VEIN_ABSORPTION_RGB, np.float32) + arteries * np.array(ARTERY_ABSORPTION_RGB, np.float32)
    glint = 1.0 + 0.16 * layers.reflex[..., None] * np.array([0.5, 1.0, 1.0], np.float32)
    return np.asarray(retina * np.exp(-np.float32(subject.vessel_contrast) * depth) * glint, np.float32)


def _illumination(view: View, rng: np.random.Generator) -> Plane:
    """Flash brightness about 1: vignetting about an off-axis centre, a tilt, and often a shadow from the iris."""
    turn_rad = rng.uniform(-np.pi, np.pi)
    off_deg = rng.uniform(0.0, 0.3) * view.radius_deg
    x_deg, y_deg = view.centre_deg
    distance = view.distance_deg((x_deg + off_deg * np.cos(turn_rad), y_deg + off_deg * np.sin(turn_rad)))
    falloff = 1.0 - rng.uniform(0.15, 0.4) * (distance / np.float32(view.radius_deg)) ** 2
    across, down = view.grid_deg(view.centre_deg)
    tilt = (across * np.cos(turn_rad) + down * np.sin(turn_rad)) / view.radius_deg
    uneven = 1.0 + rng.uniform(0.05, 0.3) * tilt + 0.06 * smooth_noise(view, 14.0, rng)
    side_rad = rng.uniform(-np.pi, np.pi)
    shadow = (across * np.cos(side_rad) + down * np.sin(side_rad)) / view.radius_deg
    strength = rng.uniform(0.1, 0.6) if rng.random() < 0.6 else 0.0
    iris = 1.0 - strength / (1.0 + np.exp(-(shadow - rng.uniform(0.55, 0.9)) / 0.13))
    return np.asarray(np.clip(falloff, 0.2, None) * np.clip(uneven, 0.4, None) * iris, np.float32)


def _aperture(view: View) -> Plane:
    """How much of each pixel the field of view covers, 0 to 1."""
    radius_px = view.radius_deg * view.px_per_deg
    return np.clip(radius_px - view.distance_deg(view.centre_deg) * np.float32(view.px_per_deg) + 0.5, 0.0, 1.0)


def _expose(
    light: Colour, aperture: Plane, subject: Subject, view: View, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture: stray light, defocus, a sensor that saturates softly, and its noise."""
    light = light * np.float32(subject.exposure * rng.uniform(0.93, 1.08))
    light = 0.95 * light + 0.05 * cv2.GaussianBlur(light, (0, 0), 0.08 * view.size_px)
    focus_px = rng.uniform(0.0008, 0.0016) * view.size_px
    light = cv2.GaussianBlur(light * aperture[..., None], (0, 0), focus_px)
    image = 255.0 * np.tanh(light) + _sensor_noise(light, view, rng)
    image *= (aperture > 0)[..., None]
    image += rng.uniform(0.0, 4.0)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _sensor_noise(light: Colour, view: View, rng: np.random.Generator) -> Colour:
    """Shot noise in grey levels, softened a little as a colour filter's interpolation softens it."""
    noise = rng.standard_normal((view.size_px, view.size_px, 3), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
    return np.asarray(noise * (1.5 + 6.0 * np.sqrt(np.clip(light, 0.0, 1.0))), np.float32)


def _as_seen(left_eye: Fundus, eye: Eye) -> Fundus:
    """A left eye as it is, a right eye as its mirror image."""
    if eye == "L":
        return left_eye
    mirrored = [plane[:, ::-1].copy() for plane in (left_eye.image, left_eye.vessels, left_eye.field_of_view)]
    return Fundus(*mirrored)
