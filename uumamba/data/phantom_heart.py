"""The geometry of a beating heart: truncated ellipsoids whose volumes, and so whose ejection fraction, are known.

Lengths are in mm. The long axis runs along the slices: `depth` is 0 at the mitral valve's plane in end-diastole and
grows towards the apex, which stays where it is while the base comes down.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.floating]
Masks = NDArray[np.bool_]

_ELONGATION = 2.5
_BASE_PART = 0.2
_RIGHT_OFFSET, _RIGHT_BREADTH, _RIGHT_LENGTH = 0.45, 1.25, 0.9


@dataclass(frozen=True)
class GroupAnatomy:
    """Ranges (low, high) from which a patient of one of ACDC's groups is drawn."""

    volume_ml: tuple[float, float]
    wall_mm: tuple[float, float]
    ejection_fraction: tuple[float, float]
    right_width_mm: tuple[float, float]


GROUP_ANATOMY = {
    "DCM": GroupAnatomy((190, 260), (7, 9), (0.18, 0.35), (22, 28)),
    "HCM": GroupAnatomy((90, 130), (13, 17), (0.62, 0.75), (18, 24)),
    "MINF": GroupAnatomy((140, 190), (8, 10), (0.28, 0.42), (20, 26)),
    "NOR": GroupAnatomy((105, 150), (8, 10), (0.55, 0.68), (20, 26)),
    "RV": GroupAnatomy((90, 130), (7, 9), (0.50, 0.62), (32, 40)),
}


@dataclass(frozen=True)
class Heart:
    """Both ventricles in one phase, around the point (0, 0) of each slice.

    The left cavity is an ellipsoid with semi-axes `radius` and `length`, centred at depth `equator` and cut off at
    depth `base`; the myocardium is a shell around it, `wall` thick; the right cavity is what lies outside that shell of
    a larger ellipsoid, shifted towards the septum and reaching `right_width` beyond the shell. `septum_rad` is the
    direction of the septum in the slice; `waves` are amplitude and phase of small deviations from round, with 2, 3, ...
    periods; `tilt` is how far the axis moves in x and y per mm of depth.
    """

    radius: float
    length: float
    equator: float
    base: float
    wall: float
    right_width: float
    septum_rad: float
    waves: tuple[tuple[float, float], ...] = ()
    tilt: tuple[float, float] = (0.0, 0.0)

    @property
    def apex(self) -> float:
        """Depth of the myocardium's lowest point."""
        return self.equator + self.length + self.wall

    def cavity_ml(self) -> float:
        """Volume of the left cavity."""
        return self._volume(0.0) * self._waves_factor() / 1000

    def myocardium_ml(self) -> float:
        """Volume of the left ventricle's wall."""
        return (self._volume(self.wall) - self._volume(0.0)) * self._waves_factor() / 1000

    def left_cavity(self, x: Floats, y: Floats, depth: Floats) -> Masks:
        """Whether points lie in the left cavity; x, y and depth broadcast."""
        return self._ellipsoid(x, y, depth, 0.0)

    def left_ventricle(self, x: Floats, y: Floats, depth: Floats, margin: Floats | float = 0.0) -> Masks:
        """Whether points lie in the left cavity or its wall, or within `margin` of them in the slice."""
        return self._ellipsoid(x, y, depth, self.wall + margin)

    def right_side(self, x: Floats, y: Floats, depth: Floats, margin: Floats | float = 0.0) -> Masks:
        """As `left_ventricle` for the ellipsoid of which the right cavity is the part outside the left ventricle."""
        x, y = self._centred(x, y, depth)
        outer = self.radius + self.wall
        along = x * np.cos(self.septum_rad) + y * np.sin(self.septum_rad) - _RIGHT_OFFSET * outer
        across = y * np.cos(self.septum_rad) - x * np.sin(self.septum_rad)
        extent = (1 - _RIGHT_OFFSET) * outer + self.right_width + margin
        breadth = _RIGHT_BREADTH * outer + margin
        height = (depth - self.equator) / (_RIGHT_LENGTH * self.length)
        inside = (along / extent) ** 2 + (across / breadth) ** 2 + height**2 <= 1
        return np.asarray(inside & (depth >= self.base))

    def label_map(self, x: Floats, y: Floats, depth: Floats) -> NDArray[np.uint8]:
        """ACDC's labels at points: 0 background, 1 right cavity, 2 myocardium, 3 left cavity."""
        labels = self.right_side(x, y, depth).astype(np.uint8)
        labels[self.left_ventricle(x, y, depth)] = 2
        labels[self.left_cavity(x, y, depth)] = 3
        return labels

    def contract(self, ejection_fraction: float, *, shortening: float, right_shortening: float) -> "Heart":
        """The heart at end-systole: the cavity loses `ejection_fraction` of its volume, the wall keeps its own.

        `shortening` is the part of the long axis that is lost as the base moves towards the apex, `right_shortening`
        that of the right ventricle's width.
        """
        kept = 1 - shortening
        apex = self.equator + self.length
        systole = replace(
            self,
            radius=self.radius * float(np.sqrt((1 - ejection_fraction) / kept)),
            length=self.length * kept,
            equator=apex - self.length * kept,
            base=apex - (apex - self.base) * kept,
            right_width=self.right_width * (1 - right_shortening),
        )
        wanted = self.myocardium_ml()
        wall = brentq(lambda wall: replace(systole, wall=wall).myocardium_ml() - wanted, 0.1, 60.0)
        return replace(systole, wall=float(wall))

    def _volume(self, wall: float) -> float:
        """Volume in mm^3 of the cut ellipsoid with semi-axes `wall` longer than the cavity's, without waves."""
        length, above = self.length + wall, self.equator - self.base
        return float(np.pi * (self.radius + wall) ** 2 * (length + above - (length**3 + above**3) / (3 * length**2)))

    def _waves_factor(self) -> float:
        return 1 + sum(amplitude**2 for amplitude, _ in self.waves) / 2

    def _centred(self, x: Floats, y: Floats, depth: Floats) -> tuple[Floats, Floats]:
        return x - self.tilt[0] * depth, y - self.tilt[1] * depth

    def _ellipsoid(self, x: Floats, y: Floats, depth: Floats, wall: Floats | float) -> Masks:
        x, y = self._centred(x, y, depth)
        angle = np.arctan2(y, x)
        waves = sum((size * np.cos((n + 2) * angle + phase) for n, (size, phase) in enumerate(self.waves)), 1.0)
        across = np.hypot(x, y) / (waves * (self.radius + wall))
        along = (depth - self.equator) / (self.length + wall)
        return np.asarray((across**2 + along**2 <= 1) & (depth >= self.base))


def draw_heart(group: str, random: np.random.Generator) -> tuple[Heart, Heart, float]:
    """A patient's heart at end-diastole and at end-systole, and the left ventricle's ejection fraction (0 to 1)."""
    anatomy = GROUP_ANATOMY[group]
    factor = np.pi * _ELONGATION * (1 + _BASE_PART - (1 + _BASE_PART**3) / 3)
    radius = float(np.cbrt(1000 * random.uniform(*anatomy.volume_ml) / factor))
    length = _ELONGATION * radius
    diastole = Heart(
        radius=radius,
        length=length,
        equator=_BASE_PART * length,
        base=0.0,
        wall=random.uniform(*anatomy.wall_mm),
        right_width=random.uniform(*anatomy.right_width_mm),
        septum_rad=np.radians(random.uniform(130, 170)),
        waves=tuple((random.uniform(0, size), random.uniform(0, 2 * np.pi)) for size in (0.06, 0.03)),
        tilt=(random.uniform(-0.12, 0.12), random.uniform(-0.12, 0.12)),
    )
    ejection_fraction = random.uniform(*anatomy.ejection_fraction)
    systole = diastole.contract(
        ejection_fraction,
        shortening=0.25 * ejection_fraction,
        right_shortening=random.uniform(0.35, 0.5) if group != "RV" else random.uniform(0.15, 0.3),
    )
    return diastole, systole, ejection_fraction
