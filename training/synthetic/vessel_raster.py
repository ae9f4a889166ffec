"""Vessels as pixels: how much blood light crosses, where the wall glints, and which pixels a grader would mark.

Everything is drawn on a canvas several times finer and averaged down, so that the mask is the drawing's own coverage
and not a second opinion on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import Plane, View
from training.synthetic.territory import Kind
from training.synthetic.vessel_tree import Vessel

FINER = 4
SHIFT_BITS = 4
PROFILE = ((1.0, 0.5), (0.75, 0.82), (0.45, 1.0))
"""Fractions of the width and of the optical depth: three steps of the chord through a cylinder."""


@dataclass(frozen=True)
class VesselLayers:
    """Vessels seen from above; every plane is size_px x size_px.

    `arteries` and `veins` are optical depths from 0 to 1, `reflex` is the glint along the wall from 0 to 1, and `mask`
    (bool) marks the pixels at least half covered.
    """

    arteries: Plane
    veins: Plane
    reflex: Plane
    mask: NDArray[np.bool_]


def rasterise(vessels: list[Vessel], view: View, rng: np.random.Generator) -> VesselLayers:
    """The layers of `vessels`; contrast falls with calibre, towards the periphery and at random."""
    strengths = rng.uniform(0.8, 1.1, len(vessels))
    runs = [run for vessel, strength in zip(vessels, strengths, strict=True) for run in _runs(vessel, view, strength)]
    runs.sort(key=lambda run: run.depth)
    arteries, veins = _draw_kind(runs, "artery", view), _draw_kind(runs, "vein", view)
    coverage = _shrink(np.where((arteries > 0) | (veins > 0), np.uint8(255), np.uint8(0)), view)
    reflex = _draw_reflex(runs, view)
    return VesselLayers(_shrink(arteries, view), _shrink(veins, view), _shrink(reflex, view), coverage >= 0.5)


@dataclass(frozen=True)
class _Run:
    """A stretch of one vessel that is drawn with one width and one depth."""

    kind: Kind
    points: NDArray[np.int32]
    width_px: int
    depth: float


def _runs(vessel: Vessel, view: View, strength: float) -> Iterator[_Run]:
    """`vessel` cut where its width on the fine canvas changes by a pixel; neighbours share a point."""
    points = np.rint((view.to_px(vessel.points_deg) * FINER - 0.5) * (1 << SHIFT_BITS)).astype(np.int32)
    widths_px = np.rint(2 * vessel.radii_deg * view.px_per_deg * FINER).astype(int)
    eccentricity = np.hypot(*(vessel.points_deg - np.asarray(view.centre_deg)).T) / view.radius_deg
    depths = strength * (vessel.radii_deg / 0.32) ** 0.62 * (1.0 - 0.35 * np.clip(eccentricity, 0.0, 1.0) ** 2)
    cuts = [0, *(np.flatnonzero(np.diff(widths_px)) + 1), len(points)]
    for start, stop in pairwise(cuts):
        depth = float(depths[start:stop].mean())
        yield _Run(vessel.kind, points[max(start - 1, 0) : stop], int(widths_px[start]), depth)


def _canvas(view: View) -> NDArray[np.uint8]:
    return np.zeros((view.size_px * FINER, view.size_px * FINER), np.uint8)


def _shrink(canvas: NDArray[np.uint8], view: View) -> Plane:
    """The canvas averaged down to the image's size, 0 to 1."""
    fine = cv2.resize(canvas, (view.size_px, view.size_px), interpolation=cv2.INTER_AREA)
    return fine.astype(np.float32) / np.float32(255)


def _stroke(canvas: NDArray[np.uint8], run: _Run, width_share: float, value: float) -> None:
    level = int(np.clip(255 * value, 1, 255))
    # OpenCV draws an even thickness one pixel wider than asked, an odd one above 1 two pixels wider.
    even = 2 * round((width_share * run.width_px - 1) / 2)
    cv2.polylines(canvas, [run.points], False, (level,), max(even, 1), cv2.LINE_8, SHIFT_BITS)


def _draw_kind(runs: Iterable[_Run], kind: Kind, view: View) -> NDArray[np.uint8]:
    """Optical depth on the fine canvas; the rims of all vessels go first so that no core is painted over."""
    canvas = _canvas(view)
    own = [run for run in runs if run.kind == kind]
    for width, depth in PROFILE:
        for run in own:
            _stroke(canvas, run, width, depth * run.depth)
    return canvas


def _draw_reflex(runs: Iterable[_Run], view: View) -> NDArray[np.uint8]:
    """The bright line along wide vessels, stronger on arteries, whose walls are thicker."""
    canvas = _canvas(view)
    for run in runs:
        if run.width_px > 2.5 * FINER:
            _stroke(canvas, run, 0.4, run.depth * (1.0 if run.kind == "artery" else 0.2))
    return canvas
