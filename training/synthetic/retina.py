"""The retina without its vessels: pigment, nerve fibres, disc, fovea and disease, as reflectance a pixel.

Textures are drawn on coarse grids measured in degrees, never in pixels, so one eye looks the same at every image size.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import Plane, Subject, View

Colour = NDArray[np.float32]
"""Three planes, red first: float32, 3 x size_px x size_px."""


def smooth_noise(view: View, grain_deg: float, rng: np.random.Generator) -> Plane:
    """Noise of zero mean and about unit deviation whose blobs are `grain_deg` wide."""
    cells = max(math.ceil(2 * view.radius_deg / grain_deg), 3)
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    fine = cv2.resize(coarse, (view.size_px, view.size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32)


def paint_retina(subject: Subject, view: View, rng: np.random.Generator) -> Colour:
    """Reflectance of the whole field, about 0 to 4, 1 being the average retina's red."""
    colour = _pigment(subject, view, rng)
    _tint(colour, _nerve_fibres(subject, view, rng), (0.15, 0.5, 1.2))
    _darken_fovea(colour, subject, view, rng)
    _lighten_disc(colour, subject, view, rng)
    if subject.diseased:
        _add_lesions(colour, view, rng)
    return colour


def _tint(colour: Colour, amount: Plane, gain_rgb: tuple[float, float, float]) -> None:
    """Multiply each channel by 1 + gain * amount, in place."""
    for plane, gain in zip(colour, gain_rgb, strict=True):
        np.multiply(plane, np.float32(1.0) + np.float32(gain) * amount, out=plane)


def _pigment(subject: Subject, view: View, rng: np.random.Generator) -> Colour:
    """Uneven pigment over a mottled choroid, which shines through redder than the pigment is."""
    pigment = 0.09 * smooth_noise(view, 9.0, rng) + 0.04 * smooth_noise(view, 3.0, rng)
    pigment += 0.03 * smooth_noise(view, 0.4, rng) + 0.045 * smooth_noise(view, 0.1, rng)
    mottle = smooth_noise(view, 1.9, rng) + 0.7 * smooth_noise(view, 0.9, rng)
    patches = np.maximum(smooth_noise(view, 6.0, rng) + 0.4, 0.0)
    choroid = np.float32(0.11 * subject.tessellation) * np.maximum(np.tanh(mottle), -0.3) * patches
    hue = np.float32(0.07) * (smooth_noise(view, 7.0, rng) + 0.8 * smooth_noise(view, 2.4, rng))
    colour = np.empty((3, view.size_px, view.size_px), np.float32)
    for plane, reflectance, red, turn in zip(
        colour, subject.reflectance_rgb, (1, 0.6, 0.2), (1, -0.3, -1), strict=True
    ):
        uneven = pigment + np.float32(red) * choroid + np.float32(turn) * hue
        plane[:] = np.float32(reflectance) * np.clip(1.0 + uneven, 0.4, 1.8)
    return colour


def _nerve_fibres(subject: Subject, view: View, rng: np.random.Generator) -> Plane:
    """The silvery streaks that fan out above and below the disc: 0 to about 1."""
    x_deg, y_deg = view.grid_deg((0.0, 0.0))
    distance_deg = view.distance_deg((0.0, 0.0))
    # Fibres arch temporally, so the fan's angle bends with distance.
    angle_rad = np.arctan2(y_deg, x_deg) - np.sign(y_deg) * np.float32(0.02) * distance_deg
    streaks = cv2.GaussianBlur(rng.standard_normal((720, 20), dtype=np.float32), (0, 0), sigmaX=0.7, sigmaY=1.0)
    across = (angle_rad + np.float32(math.pi)) * np.float32(720 / (2 * math.pi)) % np.float32(719)
    along = distance_deg * np.float32(9.5 / view.radius_deg)
    fan = cv2.remap(streaks * 2.0, along, across, cv2.INTER_LINEAR)
    vertical = (np.abs(y_deg) / (distance_deg + np.float32(0.5))) ** 2
    fade = np.exp(-(((distance_deg - np.float32(5.5)) / np.float32(5.0)) ** 2))
    patches = np.clip(0.6 + 0.8 * smooth_noise(view, 5.0, rng), 0.0, 2.0)
    return np.asarray(subject.sheen * vertical * fade * patches * (0.45 + 0.3 * np.clip(fan, -1.0, 2.5)), np.float32)


def _darken_fovea(colour: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """Macular pigment takes most of the blue and some of the green."""
    squared = view.distance_deg(subject.fovea_deg) ** 2
    macula = 0.6 * np.exp(squared * np.float32(-1 / rng.uniform(4.0, 6.0) ** 2)) + 0.4 * np.exp(squared / -1.7)
    _tint(colour, np.asarray(macula, np.float32) * np.float32(rng.uniform(0.7, 1.0)), (-0.28, -0.4, -0.5))


def _lighten_disc(colour: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """The optic disc and its cup, paler to the temple, in a ring of disturbed pigment."""
    x_deg, y_deg = view.grid_deg((0.0, 0.0))
    lean, aspect = rng.uniform(-0.12, 0.12), rng.uniform(1.0, 1.18)
    radius_deg = np.float32(subject.disc_radius_deg)
    ragged = 1.0 + 0.025 * smooth_noise(view, 1.5, rng)
    radial = np.asarray(np.hypot((x_deg + lean * y_deg) * aspect, y_deg) / radius_deg * ragged, np.float32)
    disc = _inside(radial, 1.0, rng.uniform(0.02, 0.06))
    halo = np.exp(-(((radial - 1.0) / np.float32(0.3)) ** 2)) * (1.0 - disc)
    from_cup = view.distance_deg((rng.uniform(0.2, 0.9), rng.normal(0.0, 0.2))) / radius_deg
    cup = _inside(from_cup * ragged, subject.cup_to_disc, rng.uniform(0.05, 0.14)) * disc
    pallor = np.float32(subject.disc_pallor) * (1.0 + 0.25 * x_deg / radius_deg)
    _tint(colour, pallor * disc, (0.6, 0.95, 1.0))
    _tint(colour, np.float32(subject.disc_pallor) * cup, (0.2, 0.75, 2.0))
    _tint(colour, np.float32(rng.uniform(-0.3, 0.3)) * halo, (0.5, 1.0, 1.0))


def _inside(radial: Plane, edge: float, softness: float) -> Plane:
    """1 inside `edge`, 0 outside, with a smooth step about 4 `softness` wide."""
    return np.asarray(0.5 - 0.5 * np.tanh((radial - np.float32(edge)) / np.float32(2 * softness)), np.float32)


def _add_lesions(colour: Colour, view: View, rng: np.random.Generator) -> None:
    """Exudates in clusters and haemorrhages alone: bright and dark spots that no vessel mask may hold."""
    exudates, bleeds = np.zeros((2, view.size_px, view.size_px), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        cluster_deg = _somewhere(view, 0.75, rng)
        for _ in range(int(rng.integers(2, 9))):
            _spot(exudates, view, cluster_deg + rng.normal(0.0, 0.9, 2), rng.uniform(0.1, 0.3), 1.0, rng)
    for _ in range(int(rng.integers(1, 7))):
        _spot(bleeds, view, _somewhere(view, 0.85, rng), rng.uniform(0.12, 0.5), rng.uniform(1.0, 2.5), rng)
    ragged = 0.12 * smooth_noise(view, 0.4, rng)
    _tint(colour, _soften(exudates, view, ragged), (0.35, 0.9, 1.0))
    _tint(colour, _soften(bleeds, view, ragged), (-0.28, -0.45, -0.4))


def _somewhere(view: View, reach: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point (2,) within `reach` of the field's radius, in degrees."""
    distance_deg, angle_rad = view.radius_deg * reach * math.sqrt(rng.random()), rng.uniform(-math.pi, math.pi)
    x_deg, y_deg = view.centre_deg
    return np.array([x_deg + distance_deg * math.cos(angle_rad), y_deg + distance_deg * math.sin(angle_rad)])


def _spot(
    canvas: NDArray[np.uint8],
    view: View,
    at_deg: NDArray[np.float64],
    radius_deg: float,
    stretch: float,
    rng: np.random.Generator,
) -> None:
    """Fill an ellipse, `stretch` times longer than wide and turned at random."""
    axes_deg = radius_deg * np.array([stretch, 1.0])
    x, y = np.rint(view.to_px(at_deg) * 16 - 8).astype(int).tolist()
    wide, high = np.rint(axes_deg * view.px_per_deg * 16).astype(int).tolist()
    cv2.ellipse(canvas, (x, y), (wide, high), rng.uniform(0, 180), 0, 360, (255,), cv2.FILLED, cv2.LINE_AA, 4)


def _soften(canvas: NDArray[np.uint8], view: View, ragged: Plane) -> Plane:
    """The spots with a blurred, ragged edge: 0 to 1."""
    blurred = cv2.GaussianBlur(canvas, (0, 0), 0.09 * view.px_per_deg).astype(np.float32) / np.float32(255)
    return np.asarray(np.clip((blurred * (1.0 + ragged) - 0.25) * 1.8, 0.0, 1.0), np.float32)
