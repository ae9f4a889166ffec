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
VEIN_ABSORPTION_RGB = (0.58, 1.05, 0.52)
ARTERY_ABSORPTION_RGB = (0.27, 0.96, 0.46)
# The red channel follows the light most: real fields turn from orange to olive brown where the flash fades.
LIGHT_EXPONENT_RGB = (1.25, 0.95, 0.6)


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

    Raises:
        ValueError: a negative seed, a size below 128 pixels, or an eye other than "L" and "R".
    """
    _check(seed, size_px, eye)
    subject = draw_subject(np.random.default_rng([seed, 0]))
    rng = np.random.default_rng([seed, 1 + "LR".index(eye)])
    view = draw_view(subject, rng, size_px)
    layers = rasterise(grow_vessels(subject, view, rng), view, rng)
    light = paint_retina(subject, view, rng)
    _shine_through(light, layers, subject)
    _illuminate(light, subject, view, rng)
    aperture = _aperture(view)
    image = _photograph(light, aperture, view, rng)
    field_of_view = aperture >= 0.5
    return _as_seen(Fundus(image, layers.mask & field_of_view, field_of_view), eye)


def _check(seed: int, size_px: int, eye: str) -> None:
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if size_px < SMALLEST_PX:
        raise ValueError(f"size_px must be at least {SMALLEST_PX}: thin vessels vanish below, got {size_px}")
    if eye not in ("L", "R"):
        raise ValueError(f'eye must be "L" or "R", not {eye!r}')


def _shine_through(light: Colour, layers: VesselLayers, subject: Subject) -> None:
    """Take from `light`, in place, what the blood above the retina absorbs; add the walls' glint."""
    contrast = subject.vessel_contrast
    for plane, vein, artery in zip(light, VEIN_ABSORPTION_RGB, ARTERY_ABSORPTION_RGB, strict=True):
        blood = np.float32(contrast * vein) * layers.veins + np.float32(contrast * artery) * layers.arteries
        glint = 1.0 + np.float32(0.7 * artery) * layers.reflex
        np.multiply(plane, np.exp(-blood) * glint, out=plane)


def _illuminate(light: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """Expose `light`, in place, to the flash: redder where bright, browner where dim."""
    flash = _flash(view, rng)
    exposure = subject.exposure * rng.uniform(0.93, 1.08)
    for plane, exponent in zip(light, LIGHT_EXPONENT_RGB, strict=True):
        np.multiply(plane, np.float32(exposure) * flash ** np.float32(exponent), out=plane)


def _flash(view: View, rng: np.random.Generator) -> Plane:
    """Brightness about 1: vignetting about an off-axis centre, a tilt, and often a shadow from the iris."""
    radius_deg = np.float32(view.radius_deg)
    turn_rad, side_rad = rng.uniform(-np.pi, np.pi, 2)
    off_deg = rng.uniform(0.0, 0.35) * view.radius_deg
    x_deg, y_deg = view.centre_deg
    distance = view.distance_deg((x_deg + off_deg * np.cos(turn_rad), y_deg + off_deg * np.sin(turn_rad))) / radius_deg
    falloff = np.clip(1.1 - np.float32(rng.uniform(0.2, 0.5)) * distance**2, 0.15, None)
    across, down = view.grid_deg(view.centre_deg)
    uneven = 1.0 + rng.uniform(0.05, 0.2) * (across * np.cos(turn_rad) + down * np.sin(turn_rad)) / radius_deg
    uneven += 0.08 * smooth_noise(view, 12.0, rng)
    strength = rng.uniform(0.3, 0.75) if rng.random() < 0.6 else 0.0
    depth = (across * np.cos(side_rad) + down * np.sin(side_rad)) / radius_deg - rng.uniform(0.45, 0.8)
    iris = 1.0 - strength * (0.5 + 0.5 * np.tanh(depth / rng.uniform(0.2, 0.45)))
    return np.asarray(falloff * np.clip(uneven, 0.4, None) * iris, np.float32)


def _aperture(view: View) -> Plane:
    """How much of each pixel the field of view covers, 0 to 1."""
    radius_px = np.float32(view.radius_deg * view.px_per_deg)
    distance_px = view.distance_deg(view.centre_deg) * np.float32(view.px_per_deg)
    return np.asarray(np.clip(radius_px - distance_px + 0.5, 0.0, 1.0), np.float32)


def _photograph(light: Colour, aperture: Plane, view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture: stray light, defocus, and a sensor that saturates softly and adds its noise and black level."""
    focus_px, black = rng.uniform(0.0008, 0.0016) * view.size_px, rng.uniform(0.0, 3.0)
    planes = []
    for plane in light:
        seen = cv2.GaussianBlur(0.96 * plane + 0.04 * _stray(plane), (0, 0), focus_px) * aperture
        grey = 255.0 * np.tanh(seen) + _sensor_noise(seen, rng) * (aperture > 0)
        planes.append(np.clip(np.rint(grey + black), 0, 255).astype(np.uint8))
    return np.stack(planes, axis=-1)


def _stray(plane: Plane) -> Plane:
    """Light scattered all over the field; it holds no detail, so a small copy of the plane carries it."""
    small = cv2.resize(plane, (32, 32), interpolation=cv2.INTER_AREA)
    spread = cv2.GaussianBlur(small, (0, 0), 3.0)
    return np.asarray(cv2.resize(spread, plane.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _sensor_noise(plane: Plane, rng: np.random.Generator) -> Plane:
    """Shot noise in grey levels, softened a little as a colour filter's interpolation softens it."""
    noise = cv2.GaussianBlur(rng.standard_normal(plane.shape, dtype=np.float32), (0, 0), 0.6)
    return np.asarray(noise * (1.5 + 6.0 * np.sqrt(np.clip(plane, 0.0, 1.0))), np.float32)


def _as_seen(left_eye: Fundus, eye: Eye) -> Fundus:
    """A left eye as it is, a right eye as its mirror image."""
    if eye == "L":
        return left_eye
    return Fundus(
        image=left_eye.image[:, ::-1].copy(),
        vessels=left_eye.vessels[:, ::-1].copy(),
        field_of_view=left_eye.field_of_view[:, ::-1].copy(),
    )
