"""The retina without its vessels: pigment, nerve fibres, disc, fovea and disease, as reflectance a pixel.

Textures are drawn on coarse grids measured in degrees, never in pixels, so one eye looks the same at every image size.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import Plane, Subject, View

Colour = NDArray[np.float32]
"""Three values a pixel, red first: float32, size_px x size_px x 3."""


def smooth_noise(view: View, grain_deg: float, rng: np.random.Generator) -> Plane:
    """Noise of zero mean and about unit deviation whose blobs are `grain_deg` wide."""
    cells = max(math.ceil(2 * view.radius_deg / grain_deg), 3)
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    fine = cv2.resize(coarse, (view.size_px, view.size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32)


def paint_retina(subject: Subject, view: View, rng: np.random.Generator) -> Colour:
    """Reflectance of the whole field, about 0 to 4, 1 being the average retina's red."""
    colour = _pigment(subject, view, rng) * np.array(subject.reflectance_rgb, np.float32)
    colour *= 1.0 + _nerve_fibres(subject, view, rng)[..., None] * np.array([0.12, 0.42, 0.9], np.float32)
    _darken_fovea(colour, subject, view, rng)
    _lighten_disc(colour, subject, view, rng)
    if subject.diseased:
        _add_lesions(colour, subject, view, rng)
    return colour


def _pigment(subject: Subject, view: View, rng: np.random.Generator) -> Colour:
    """Uneven pigment over the choroid, whose own broad vessels shine through as reddish bands."""
    uneven = 0.10 * smooth_noise(view, 9.0, rng) + 0.05 * smooth_noise(view, 3.0, rng)
    bands = 1.0 - 2.0 * np.abs(np.tanh(smooth_noise(view, 2.0, rng) + 0.4 * smooth_noise(view, 1.0, rng)))
    blotches = np.maximum(smooth_noise(view, 4.0, rng) + 0.3, 0.0) * bands
    fine = 0.03 * smooth_noise(view, 0.45, rng) + 0.035 * smooth_noise(view, 0.16, rng)
    choroid = (0.10 * subject.tessellation) * blotches
    tint = np.array([1.0, 0.75, 0.4], np.float32)
    return np.asarray(np.clip(1.0 + (uneven + fine)[..., None] + choroid[..., None] * tint, 0.3, 2.0), np.float32)


def _nerve_fibres(subject: Subject, view: View, rng: np.random.Generator) -> Plane:
    """The silvery streaks that fan out above and below the disc: 0 to about 1."""
    x_deg, y_deg = view.grid_deg((0.0, 0.0))
    distance_deg = view.distance_deg((0.0, 0.0))
    # Fibres arch temporally, so the fan's angle bends with distance.
    angle_rad = np.arctan2(y_deg, x_deg + 0.0 * y_deg) - np.sign(y_deg) * 0.02 * distance_deg
    streaks = rng.standard_normal((360, 14), dtype=np.float32)
    streaks = cv2.GaussianBlur(streaks, (0, 0), sigmaX=0.6, sigmaY=1.2) * 2.0
    across = np.float32(360 / (2 * math.pi)) * (angle_rad + np.float32(math.pi))
    along = distance_deg / np.float32(view.radius_deg) * np.float32(6.5)
    fan = cv2.remap(streaks, along, across.astype(np.float32) % np.float32(359), cv2.INTER_LINEAR)
    vertical = (np.abs(y_deg) / (distance_deg + np.float32(0.5))) ** 2
    fade = np.exp(-(((distance_deg - 5.0) / 4.5) ** 2))
    patches = np.clip(0.6 + 0.8 * smooth_noise(view, 5.0, rng), 0.0, 2.0)
    return np.asarray(subject.sheen * vertical * fade * patches * (0.45 + 0.4 * np.clip(fan, -1.0, 2.5)), np.float32)


def _darken_fovea(colour: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """Macular pigment takes most of the blue and some of the green."""
    distance_deg = view.distance_deg(subject.fovea_deg)
    macula = np.exp(-((distance_deg / rng.uniform(4.0, 6.0)) ** 2)) * 0.6 + np.exp(-((distance_deg / 1.3) ** 2)) * 0.4
    colour *= 1.0 - rng.uniform(0.7, 1.0) * macula[..., None] * np.array([0.25, 0.4, 0.5], np.float32)


def _lighten_disc(colour: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """The optic disc and its cup, paler to the temple, in a ring of disturbed pigment."""
    x_deg, y_deg = view.grid_deg((0.0, 0.0))
    lean = rng.uniform(-0.12, 0.12)
    aspect = rng.uniform(1.0, 1.18)
    ragged = 1.0 + 0.02 * smooth_noise(view, 1.5, rng)
    radial = np.hypot((x_deg + lean * y_deg) * aspect, y_deg) / np.float32(subject.disc_radius_deg) * ragged
    disc = _inside(radial, 1.0, 0.035)
    halo = np.exp(-(((radial - 1.0) / 0.35) ** 2)) * (1.0 - disc)
    cup_x_deg, cup_y_deg = rng.uniform(0.1, 0.8), rng.normal(0.0, 0.2)
    cup_radial = np.hypot(x_deg - cup_x_deg, y_deg - cup_y_deg) / np.float32(subject.disc_radius_deg)
    cup = _inside(cup_radial * ragged, subject.cup_to_disc, 0.13) * disc
    pallor = subject.disc_pallor * (1.0 + 0.12 * x_deg / np.float32(subject.disc_radius_deg))
    colour *= 1.0 + (pallor * disc)[..., None] * np.array([0.3, 1.15, 1.6], np.float32)
    colour *= 1.0 + (subject.disc_pallor * cup)[..., None] * np.array([0.15, 0.55, 1.6], np.float32)
    colour *= 1.0 + rng.uniform(-0.2, 0.3) * halo[..., None] * np.array([0.5, 1.0, 1.0], np.float32)


def _inside(radial: Plane, edge: float, softness: float) -> Plane:
    """1 inside `edge`, 0 outside, with a smooth step about 4 `softness` wide."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip((radial - edge) / softness, -30, 30))), np.float32)


def _add_lesions(colour: Colour, subject: Subject, view: View, rng: np.random.Generator) -> None:
    """Exudates in clusters and haemorrhages alone: bright and dark spots that no vessel mask may hold."""
    ragged = 0.25 * smooth_noise(view, 0.5, rng)
    for _ in range(int(rng.integers(1, 4))):
        cluster_deg = _somewhere(view, 0.75, rng)
        for _ in range(int(rng.integers(2, 9))):
            offset_deg = rng.normal(0.0, 0.9, 2)
            at_deg = (cluster_deg[0] + offset_deg[0], cluster_deg[1] + offset_deg[1])
            spot = _spot(view, at_deg, rng.uniform(0.08, 0.3), 0.0, 1.0, ragged)
            colour *= 1.0 + spot[..., None] * np.array([0.35, 1.0, 1.2], np.float32)
    for _ in range(int(rng.integers(1, 7))):
        at_deg, lean_rad = _somewhere(view, 0.85, rng), rng.uniform(0.0, math.pi)
        spot = _spot(view, at_deg, rng.uniform(0.1, 0.55), lean_rad, rng.uniform(1.0, 2.5), ragged)
        colour *= 1.0 - spot[..., None] * np.array([0.25, 0.45, 0.4], np.float32)


def _somewhere(view: View, reach: float, rng: np.random.Generator) -> tuple[float, float]:
    """A point within `reach` of the field's radius, in degrees."""
    distance_deg, angle_rad = view.radius_deg * reach * math.sqrt(rng.random()), rng.uniform(-math.pi, math.pi)
    x_deg, y_deg = view.centre_deg
    return x_deg + distance_deg * math.cos(angle_rad), y_deg + distance_deg * math.sin(angle_rad)


def _spot(
    view: View, at_deg: tuple[float, float], radius_deg: float, lean_rad: float, stretch: float, ragged: Plane
) -> Plane:
    """A soft-edged ellipse, 0 to 1, `stretch` times longer than wide."""
    x_deg, y_deg = view.grid_deg(at_deg)
    cosine, sine = math.cos(lean_rad), math.sin(lean_rad)
    radial = np.hypot((x_deg * cosine + y_deg * sine) / stretch, y_deg * cosine - x_deg * sine) / radius_deg
    return _inside(radial + ragged, 1.0, 0.12)
