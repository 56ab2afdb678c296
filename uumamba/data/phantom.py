"""A beating-heart phantom: short-axis cine MRI made from geometry, written in ACDC's layout with ACDC's header.

For demonstration and tests. Anatomy, group, position, size, spacing and number of slices differ from patient to
patient; the left ventricle's volumes are known. Everything follows from the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uumamba.core.files import write_text
from uumamba.core.seeding import derive_generator
from uumamba.data.phantom_heart import GROUP_ANATOMY, Floats, Heart, draw_heart
from uumamba.imaging.files import read_image, write_image, write_label_map
from uumamba.imaging.image import Image

FloatVolume = NDArray[np.float32]
LabelVolume = NDArray[np.uint8]

# Signal of a bright-blood (balanced steady-state) cine, blood = 1.
_AIR, _LUNG, _MUSCLE, _LIVER, _SPLEEN, _BONE, _FAT = 0.02, 0.07, 0.32, 0.42, 0.55, 0.35, 0.85
_MYOCARDIUM, _RIGHT_WALL, _RIGHT_BLOOD, _LEFT_BLOOD, _PAPILLARY, _AORTA = 0.34, 0.38, 0.88, 1.0, 0.42, 0.95
_SLICE_SAMPLES = (-1 / 3, 0.0, 1 / 3)


@dataclass(frozen=True)
class PhantomSize:
    """How large the images are: about `voxels` squared, `spacing_mm` in plane and `slice_spacing_mm` between slices.

    Each patient's own sizes differ by up to a tenth; the number of slices follows from the length of the heart.
    """

    voxels: int = 96
    spacing_mm: float = 2.5
    slice_spacing_mm: float = 12.0


@dataclass(frozen=True)
class PhantomPatient:
    """What is known of a patient of the phantom; volumes and ejection fraction (0 to 1) are the left ventricle's."""

    name: str
    group: str
    end_diastolic_ml: float
    ejection_fraction: float


@dataclass(frozen=True)
class _Organ:
    """A round organ below the diaphragm: its centre ahead of and below the heart's axis, radius, and signal."""

    ahead_mm: float
    down_mm: float
    radius_mm: float
    signal: float


@dataclass(frozen=True)
class Scene:
    """A patient's grid and surroundings, the same in all phases. Positions are in mm around the heart's axis."""

    x: Floats
    y: Floats
    depth: Floats
    spacing_mm: tuple[float, float, float]
    shading: FloatVolume
    texture: FloatVolume
    organs: tuple[_Organ, ...]
    chest_mm: float
    body_rad: float
    scale: float
    noise: float


def write_phantom_acdc(
    root: Path, *, patients: int = 8, test_patients: int = 0, seed: int = 0, size: PhantomSize = PhantomSize()
) -> tuple[PhantomPatient, ...]:
    """Write `database/training/patient001...` and `database/testing/patient101...` under `root`.

    Each patient has `Info.cfg` and, at end-diastole and end-systole, an image and its label map. Groups take turns; in
    every fourth patient end-diastole is not the first frame. Returns the truth, training patients first.
    """
    numbers = [("training", number + 1) for number in range(patients)]
    numbers += [("testing", max(100, patients) + number + 1) for number in range(test_patients)]
    database = root / "database"
    return tuple(
        _write_patient(database / split / f"patient{number:03d}", number, seed, size) for split, number in numbers
    )


def _write_patient(folder: Path, number: int, seed: int, size: PhantomSize) -> PhantomPatient:
    random = derive_generator(seed, "phantom", number)
    group = sorted(GROUP_ANATOMY)[(number - 1) % len(GROUP_ANATOMY)]
    diastole, systole, ejection_fraction = draw_heart(group, random)
    frames = int(random.integers(20, 31))
    first = 1 if number % 4 else 4
    info = {
        "ED": first,
        "ES": first + int(random.integers(7, 12)),
        "Group": group,
        "Height": round(random.normal(172, 8), 1),
        "NbFrame": frames,
        "Weight": round(random.normal(76, 11), 1),
    }
    write_text(folder / "Info.cfg", "".join(f"{key}: {value}\n" for key, value in info.items()))
    scene = draw_scene(diastole, size, random)
    affine = np.diag([-scene.spacing_mm[0], -scene.spacing_mm[1], scene.spacing_mm[2], 1.0])
    for phase, heart in (("ED", diastole), ("ES", systole)):
        stem = f"{folder.name}_frame{info[phase]:02d}"
        image, labels = render_frame(heart, scene, random)
        path = folder / f"{stem}.nii.gz"
        write_image(path, Image(image, affine), sform_scale_mm=1.0)
        write_label_map(folder / f"{stem}_gt.nii.gz", labels, like=read_image(path))
    return PhantomPatient(folder.name, group, diastole.cavity_ml(), ejection_fraction)


def draw_scene(diastole: Heart, size: PhantomSize, random: np.random.Generator) -> Scene:
    """Grid and surroundings for a patient whose heart is largest so."""
    in_plane = round(size.spacing_mm * random.uniform(0.9, 1.1), 4)
    between = round(size.slice_spacing_mm * random.choice([0.9, 1.0, 1.0]), 4)
    columns, rows = (round(size.voxels * random.uniform(0.9, 1.1)) for _ in range(2))
    slices = int(np.ceil((diastole.apex + random.uniform(0.3, 1.0) * between) / between))
    shape = (columns, rows, slices)
    centre = random.uniform(-0.05, 0.05, 2) * size.voxels * in_plane
    misalignment = random.normal(0, 1.2, (2, 1, 1, slices))
    x = (np.arange(columns) - columns / 2).reshape(-1, 1, 1) * in_plane - centre[0] + misalignment[0]
    y = (np.arange(rows) - rows / 2).reshape(1, -1, 1) * in_plane - centre[1] + misalignment[1]
    depth = (np.arange(slices).reshape(1, 1, -1) - random.uniform(0.1, 0.6)) * between
    return Scene(
        x=x,
        y=y,
        depth=depth,
        spacing_mm=(in_plane, in_plane, between),
        shading=_draw_shading(x, y, depth, random),
        texture=_smooth_noise(shape, 6 / in_plane, random),
        organs=_draw_organs(random),
        chest_mm=random.uniform(78, 92),
        body_rad=np.radians(random.uniform(-15, 15)),
        scale=random.uniform(150, 400),
        noise=random.uniform(0.015, 0.035),
    )


def _draw_organs(random: np.random.Generator) -> tuple[_Organ, ...]:
    """Liver, stomach, its contents, spleen, and a few loops of bowel, from back to front."""
    placed = ((30, 100, 45, _LIVER), (-40, 95, 34, _FAT), (-42, 92, 24, 0.5), (-85, 75, 24, _SPLEEN))
    organs = [
        _Organ(ahead + random.normal(0, 6), down + random.normal(0, 4), radius, signal)
        for ahead, down, radius, signal in placed
    ]
    loops = random.uniform((-70, 105, 8, 0.1), (60, 130, 14, 1.0), (4, 4))
    return (*organs, *(_Organ(*loop) for loop in loops.tolist()))


def _draw_shading(x: Floats, y: Floats, depth: Floats, random: np.random.Generator) -> FloatVolume:
    """Sensitivity of the receiver coils: strong at the chest wall, weak far behind; mean about 1."""
    total = 0.35 + 0.0 * (x + y + depth)
    for angle in np.radians(random.uniform(90, 210, 2)):
        squared = (x - 90 * np.cos(angle)) ** 2 + (y - 90 * np.sin(angle)) ** 2
        total = total + random.uniform(0.5, 0.9) * np.exp(-squared / (2 * random.uniform(80, 110) ** 2))
    return np.asarray(total / total.mean(), dtype=np.float32)


def _smooth_noise(shape: tuple[int, int, int], width: float, random: np.random.Generator) -> FloatVolume:
    noise = gaussian_filter(random.normal(size=shape).astype(np.float32), (width, width, 0.5))
    return np.asarray(noise / (noise.std() + 1e-6), dtype=np.float32)


def render_frame(heart: Heart, scene: Scene, random: np.random.Generator) -> tuple[FloatVolume, LabelVolume]:
    """One frame: the image (x, y, z) in whole numbers >= 0 and the label map on its grid."""
    labels = heart.label_map(scene.x, scene.y, scene.depth)
    thickness = scene.spacing_mm[2]
    samples = [_paint(heart, scene, scene.depth + part * thickness) for part in _SLICE_SAMPLES]
    signal = np.mean(samples, axis=0, dtype=np.float32) * (1 + 0.06 * scene.texture) * scene.shading
    blurred = gaussian_filter(signal, (0.6, 0.6, 0))
    real, imaginary = random.normal(0, scene.noise, (2, *blurred.shape))
    return np.rint(np.hypot(blurred + real, imaginary) * scene.scale).astype(np.float32), labels


def _paint(heart: Heart, scene: Scene, depth: Floats) -> FloatVolume:
    """The tissues' signal at a depth below the base (mm), back to front."""
    x, y = scene.x, scene.y
    signal = np.full(np.broadcast_shapes(x.shape, y.shape, depth.shape), _AIR, dtype=np.float32)
    for mask, value in _surroundings(heart, scene, depth):
        signal[np.broadcast_to(mask, signal.shape)] = value
    right, left = heart.right_side(x, y, depth), heart.left_ventricle(x, y, depth)
    signal[heart.right_side(x, y, depth, margin=3)] = _RIGHT_WALL
    signal[right] = _RIGHT_BLOOD
    signal[left] = _MYOCARDIUM
    cavity = heart.left_cavity(x, y, depth)
    signal[cavity] = _LEFT_BLOOD
    signal[cavity & _papillary_muscles(heart, x, y, depth)] = _PAPILLARY
    return signal


def _surroundings(heart: Heart, scene: Scene, depth: Floats) -> Iterator[tuple[NDArray[np.bool_], float]]:
    """Masks and signals around the ventricles: chest wall, lungs, organs of the abdomen, vessels, fat, atria."""
    ahead = scene.y * np.sin(scene.body_rad) - scene.x * np.cos(scene.body_rad)
    down = scene.y * np.cos(scene.body_rad) + scene.x * np.sin(scene.body_rad)
    ribs = 3 * np.sin(down / 9) * np.cos(down / 31)
    for margin, value in ((0.0, _FAT), (9 + ribs, _MUSCLE), (17 - ribs, _LUNG)):
        yield ((ahead - scene.chest_mm + 115) / (115 - margin)) ** 2 + (down / (170 - margin)) ** 2 <= 1, value
    for organ in scene.organs:
        size = organ.radius_mm + 0.12 * depth + 3 * np.sin(3 * np.arctan2(down - organ.down_mm, ahead - organ.ahead_mm))
        yield np.hypot(ahead - organ.ahead_mm, 1.2 * (down - organ.down_mm)) <= size, organ.signal
    yield np.hypot(ahead + 100, down + 5) <= 22, _BONE
    yield np.hypot(ahead + 70, down - 12) <= 11, _AORTA
    fat = 2 + 4 * np.sin(np.arctan2(scene.y, scene.x) + scene.body_rad) ** 2
    inside = np.maximum(depth, heart.base)
    yield heart.left_ventricle(scene.x, scene.y, inside, fat) | heart.right_side(scene.x, scene.y, inside, fat), _FAT
    yield from _atria(heart, scene, depth)


def _atria(heart: Heart, scene: Scene, depth: Floats) -> Iterator[tuple[NDArray[np.bool_], float]]:
    """What a slice above the ventricles' base shows: both atria, thin-walled, and the aorta's root between them."""
    above = depth < heart.base
    x, y = scene.x - heart.tilt[0] * depth, scene.y - heart.tilt[1] * depth
    outer = heart.radius + heart.wall
    for shift, radius, blood in ((-0.25, 0.8, _LEFT_BLOOD), (0.85, 0.6, _RIGHT_BLOOD), (0.35, 0.38, _AORTA)):
        distance = np.hypot(x - shift * outer * np.cos(heart.septum_rad), y - shift * outer * np.sin(heart.septum_rad))
        yield (distance <= radius * outer + 2) & above, _RIGHT_WALL
        yield (distance <= radius * outer) & above, blood


def _papillary_muscles(heart: Heart, x: Floats, y: Floats, depth: Floats) -> NDArray[np.bool_]:
    """Two columns of muscle in the middle third of the left cavity; ACDC's references count them to the cavity."""
    middle = (depth > heart.equator + 0.1 * heart.length) & (depth < heart.equator + 0.6 * heart.length)
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, depth.shape), dtype=bool)
    for angle in (heart.septum_rad + np.radians(115), heart.septum_rad - np.radians(115)):
        distance = np.hypot(
            x - heart.tilt[0] * depth - 0.6 * heart.radius * np.cos(angle),
            y - heart.tilt[1] * depth - 0.6 * heart.radius * np.sin(angle),
        )
        found |= (distance <= 0.16 * heart.radius) & middle
    return found
