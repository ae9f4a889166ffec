"""Vessels grown from the optic disc: a walk that steers, tapers and branches as retinal vessels do.

Two laws of Murray (1926) shape every fork: the cube of the parent's radius is the sum of its children's cubes, and the
angles are those that cost the least work. Thick vessels grow first; thin ones fill the territory left between them.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.synthetic.anatomy import Subject, View
from training.synthetic.territory import KINDS, Kind, Territory

STEP_DEG = 0.15
EXIT_DEG = 3.0
"""How far beyond the field a vessel is followed, so that it does not taper in sight."""
THINNEST_DEG = 0.048
"""Radius at which a vessel ends: what graders of photographs still mark."""


@dataclass(frozen=True)
class Vessel:
    """One unbranched course: points (n, 2) and radii (n,) in degrees, n >= 2."""

    kind: Kind
    points_deg: NDArray[np.float64]
    radii_deg: NDArray[np.float64]


@dataclass(frozen=True)
class _Course:
    """Where a vessel wants to go: along an arcade about the fovea, to the fovea, or on a fixed bearing."""

    aim: Literal["arcade", "fovea", "bearing"]
    bearing_rad: float = 0.0
    flattening: float = 0.75
    beyond_deg: float = 4.0
    side: int = 1
    pull_per_deg: float = 0.3

    def heading_rad(self, x_deg: float, y_deg: float, fovea_deg: tuple[float, float]) -> float:
        """The direction wanted at a point."""
        if self.aim == "bearing":
            return self.bearing_rad
        to_x, to_y = fovea_deg[0] - x_deg, fovea_deg[1] - y_deg
        if self.aim == "fovea":
            return math.atan2(to_y, to_x)
        # The tangent of an ellipse through this point, centred beyond the fovea: it leaves the disc vertically.
        to_x += self.beyond_deg
        return math.atan2(self.side * to_x * self.flattening, -self.side * to_y / self.flattening)


@dataclass
class _Tip:
    """The growing end of a vessel."""

    kind: Kind
    course: _Course
    x_deg: float
    y_deg: float
    heading_rad: float
    radius_deg: float
    label: int = 0
    parent: int = 0
    curvature_per_deg: float = 0.0
    track: list[tuple[float, float, float]] = field(default_factory=list)


def grow_vessels(subject: Subject, view: View, rng: np.random.Generator) -> list[Vessel]:
    """Every vessel that crosses `view`, thickest roots first."""
    territory = Territory(view)
    waiting = [(-tip.radius_deg, order, tip) for order, tip in enumerate(_roots(subject, rng), 1)]
    heapq.heapify(waiting)
    grown: list[Vessel] = []
    order = len(waiting)
    while waiting:
        tip = heapq.heappop(waiting)[2]
        tip.label = len(grown) + 1
        for child in _grow(tip, territory, subject, view, rng):
            order += 1
            heapq.heappush(waiting, (-child.radius_deg, order, child))
        grown.append(_finished(tip))
    return grown


def _finished(tip: _Tip) -> Vessel:
    """The vessel that `tip` drew, run out to a thin end wherever it was stopped."""
    track = np.array(tip.track)
    to_end_deg = STEP_DEG * np.arange(len(track) - 1, -1, -1)
    return Vessel(tip.kind, track[:, :2], np.minimum(track[:, 2], 0.6 * THINNEST_DEG + 0.1 * to_end_deg))


def _roots(subject: Subject, rng: np.random.Generator) -> Iterator[_Tip]:
    """An artery and a vein for each quadrant, and small vessels that leave the disc sideways."""
    for side in (-1, 1):
        for kind in KINDS:
            radius_deg = subject.vein_radius_deg * (subject.artery_to_vein if kind == "artery" else 1.0)
            arcade = _Course("arcade", side=side, flattening=rng.uniform(0.55, 0.85), pull_per_deg=0.4)
            yield _root(kind, arcade, side * rng.uniform(1.2, 1.7), radius_deg * rng.uniform(0.9, 1.1), rng)
            nasal = _Course("bearing", side * rng.uniform(1.8, 2.75), pull_per_deg=rng.uniform(0.1, 0.3))
            yield _root(kind, nasal, side * rng.uniform(1.4, 2.1), radius_deg * rng.uniform(0.55, 0.85), rng)
    for _ in range(int(rng.integers(3, 7))):
        bearing_rad = float(rng.choice([0.0, math.pi]) + rng.uniform(-0.7, 0.7))
        yield _root(
            KINDS[int(rng.integers(2))], _Course("bearing", bearing_rad), bearing_rad, rng.uniform(0.08, 0.15), rng
        )


def _root(kind: Kind, course: _Course, heading_rad: float, radius_deg: float, rng: np.random.Generator) -> _Tip:
    x_deg, y_deg = rng.normal(-0.4, 0.35), rng.normal(0.0, 0.4)
    return _Tip(kind, course, x_deg, y_deg, heading_rad, radius_deg)


def _grow(tip: _Tip, territory: Territory, subject: Subject, view: View, rng: np.random.Generator) -> Iterator[_Tip]:
    """Walk `tip` to its end, yielding the branches it sends out on the way."""
    to_fork_deg = rng.uniform(1.0, 4.0)
    while True:
        tip.track.append((tip.x_deg, tip.y_deg, tip.radius_deg))
        if len(tip.track) > 1 and _ends(tip, territory, subject, view):
            return
        _step(tip, subject, rng)
        territory.claim(tip.kind, tip.x_deg, tip.y_deg, tip.label)
        to_fork_deg -= STEP_DEG
        if to_fork_deg <= 0 and tip.radius_deg > 1.15 * THINNEST_DEG:
            child = _fork(tip, territory, subject, rng)
            to_fork_deg = rng.uniform(1.8, 4.8) if child else 0.8
            if child:
                yield child


def _step(tip: _Tip, subject: Subject, rng: np.random.Generator) -> None:
    """Advance one step: curvature wanders and relaxes, the course pulls, the calibre tapers."""
    wander = subject.tortuosity * (0.16 + 0.014 / tip.radius_deg)
    tip.curvature_per_deg += -tip.curvature_per_deg * STEP_DEG / 1.1 + wander * math.sqrt(STEP_DEG) * rng.normal()
    wanted_rad = tip.course.heading_rad(tip.x_deg, tip.y_deg, subject.fovea_deg)
    turn_per_deg = tip.curvature_per_deg + tip.course.pull_per_deg * math.sin(wanted_rad - tip.heading_rad)
    tip.heading_rad += turn_per_deg * STEP_DEG
    tip.x_deg += math.cos(tip.heading_rad) * STEP_DEG
    tip.y_deg += math.sin(tip.heading_rad) * STEP_DEG
    tip.radius_deg -= (0.0016 + 0.006 * tip.radius_deg) * STEP_DEG


def _ends(tip: _Tip, territory: Territory, subject: Subject, view: View) -> bool:
    """Too thin, out of sight, at the avascular fovea, or about to run into a vessel of its own kind."""
    if tip.radius_deg < THINNEST_DEG:
        return True
    if math.hypot(tip.x_deg - view.centre_deg[0], tip.y_deg - view.centre_deg[1]) > view.radius_deg + EXIT_DEG:
        return True
    if math.hypot(tip.x_deg - subject.fovea_deg[0], tip.y_deg - subject.fovea_deg[1]) < 1.2 + 8 * tip.radius_deg:
        return True
    if tip.radius_deg > 0.11 or math.hypot(tip.x_deg, tip.y_deg) < subject.disc_radius_deg:
        return False
    ahead_x_deg = tip.x_deg + 0.7 * math.cos(tip.heading_rad)
    ahead_y_deg = tip.y_deg + 0.7 * math.sin(tip.heading_rad)
    return territory.holder(tip.kind, ahead_x_deg, ahead_y_deg) not in (0, tip.label, tip.parent)


def _fork(tip: _Tip, territory: Territory, subject: Subject, rng: np.random.Generator) -> _Tip | None:
    """The side branch that leaves here, and `tip` thinned and turned for it; None where there is no room."""
    if math.hypot(tip.x_deg, tip.y_deg) < 0.8 * subject.disc_radius_deg:
        return None
    ratio = rng.uniform(0.75, 0.95) if rng.random() < 0.12 else rng.uniform(0.3, 0.62)
    child_radius_deg = max(ratio * tip.radius_deg, 1.08 * THINNEST_DEG)
    onward_radius_deg = (tip.radius_deg**3 - child_radius_deg**3) ** (1 / 3)
    if onward_radius_deg < THINNEST_DEG:
        return None
    side = _roomier_side(tip, territory, rng)
    if side == 0:
        return None
    away_rad = murray_angle_rad(tip.radius_deg, child_radius_deg, onward_radius_deg) * rng.uniform(0.7, 1.1)
    heading_rad = tip.heading_rad + side * away_rad
    course = _branch_course(tip, heading_rad, side, subject, rng)
    child = replace(
        tip,
        course=course,
        heading_rad=heading_rad,
        radius_deg=child_radius_deg,
        parent=tip.label,
        curvature_per_deg=0.0,
        track=[],
    )
    tip.heading_rad -= side * murray_angle_rad(tip.radius_deg, onward_radius_deg, child_radius_deg)
    tip.radius_deg = onward_radius_deg
    return child


def _roomier_side(tip: _Tip, territory: Territory, rng: np.random.Generator) -> int:
    """+1 or -1 for the emptier flank two degrees away, 0 where both are taken."""
    reach_deg = 0.95 + 1.5 * tip.radius_deg
    crowding = {}
    for side in (-1, 1):
        flank_rad = tip.heading_rad + side * 1.0
        x_deg = tip.x_deg + 2.2 * reach_deg * math.cos(flank_rad)
        y_deg = tip.y_deg + 2.2 * reach_deg * math.sin(flank_rad)
        crowding[side] = territory.crowding(x_deg, y_deg, reach_deg) + rng.random()
    best = min(crowding, key=lambda side: crowding[side])
    return best if crowding[best] < 2.0 else 0


def murray_angle_rad(parent_deg: float, own_deg: float, other_deg: float) -> float:
    """The least-work angle between a parent and the child of radius `own_deg`, from the three radii."""
    cosine = (parent_deg**4 + own_deg**4 - other_deg**4) / (2 * parent_deg**2 * own_deg**2)
    return math.acos(min(max(cosine, 0.3), 1.0))


def _branch_course(tip: _Tip, heading_rad: float, side: int, subject: Subject, rng: np.random.Generator) -> _Course:
    """Branches inside the arcades seek the fovea; all others keep the way they set out."""
    to_fovea_rad = _Course("fovea").heading_rad(tip.x_deg, tip.y_deg, subject.fovea_deg)
    if tip.x_deg > 3.0 and math.cos(to_fovea_rad - heading_rad) > 0.3:
        return _Course("fovea", pull_per_deg=rng.uniform(0.05, 0.2))
    bearing_rad = heading_rad - side * rng.uniform(0.0, 0.5)
    return _Course("bearing", bearing_rad, pull_per_deg=rng.uniform(0.1, 0.3))
