"""A small clean data set, and one function for each fault that can be planted in it.

Twelve patients with one case each, two structures, 16 x 14 x 8 voxels. A fault changes the files under `root`, or the
cases, and says what must be found: kind and file (relative to `root`) of every problem.
"""

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from uumamba.core.labels import LabelSet
from uumamba.core.seeding import derive_generator
from uumamba.data.case import Case
from uumamba.data.checks.cases import CasesToCheck
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.splits import Fold
from uumamba.imaging.files import read_image, read_label_map, write_image, write_label_map
from uumamba.imaging.image import Image

CASES = 12
SHAPE = (16, 14, 8)
LABELS = LabelSet(names=("background", "wall", "cavity"))
Found = set[tuple[str, str]]


@dataclass(frozen=True)
class Fault:
    """`plant` spoils a copy of the clean data set and gives it back with what must be found."""

    severity: str
    plant: Callable[[CasesToCheck], tuple[CasesToCheck, Found]]


def description(*channels: str) -> DatasetDescription:
    """What is known of the fake data set."""
    return ACDC.description.model_copy(update={"name": "fake", "labels": LABELS, "channels": channels})


def write_clean(root: Path, *channels: str, seed: int = 5) -> CasesToCheck:
    """Write the data set without a fault; CT channels hold Hounsfield units."""
    cases = []
    for number in range(CASES):
        random = derive_generator(seed, "case", number)
        affine = np.diag([-1.5, -1.5 * random.uniform(0.9, 1.1), 4.0, 1.0])
        affine[:3, 3] = random.uniform(-20, 20, 3)
        labels = np.zeros(SHAPE, np.uint8)
        low = (2 + number % 3, 2 + number // 3, 2)
        labels[low[0] : low[0] + 8, low[1] : low[1] + 7, low[2] : low[2] + 3] = 1
        labels[low[0] + 2 : low[0] + 6, low[1] + 2 : low[1] + 5, low[2] + 1] = 2
        images = []
        for channel, name in enumerate(channels):
            data = random.normal(200 + 100 * labels, 30 * random.uniform(0.5, 2), SHAPE)
            data[0] = -1000 if name == "CT" else 1
            images.append(root / f"case{number:02d}_{channel:04d}.nii.gz")
            write_image(images[-1], Image(data.astype(np.float32), affine))
        label_map = root / f"case{number:02d}.nii.gz"
        write_label_map(label_map, labels, like=Image(labels, affine))
        cases.append(Case(f"case{number:02d}", f"patient{number:02d}", tuple(images), label_map))
    return CasesToCheck(root, tuple(cases), dataset=description(*channels))


def image(cases: CasesToCheck, number: int = 3, channel: int = 0) -> Path:
    """An image of a case."""
    return cases.training[number].images[channel]


def label_map(cases: CasesToCheck, number: int = 3) -> Path:
    """The label map of a case."""
    path = cases.training[number].label_map
    assert path is not None
    return path


def with_case(cases: CasesToCheck, number: int, case: Case) -> CasesToCheck:
    """The cases with one of them replaced."""
    training = list(cases.training)
    training[number] = case
    return replace(cases, training=tuple(training))


def _write(path: Path, data: np.ndarray, like: Image, **options: float) -> None:
    write_image(path, Image(data, like.affine), **options)


def _change(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    old = read_image(path)
    _write(path, change(old.data), old)


def _relabel(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    old = read_label_map(path)
    write_label_map(path, change(old.data).astype(np.uint8), like=old)


def _save(path: Path, data: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.eye(4)), path)


def _in_file(kind: str, spoil: Callable[[Path], object], *, of: Callable[..., Path] = image) -> Callable:
    """A fault in one file, which is told under that file's name."""

    def plant(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
        path = of(cases)
        spoil(path)
        return cases, {(kind, path.name)}

    return plant


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _moved(path: Path) -> None:
    old = read_image(path)
    affine = old.affine.copy()
    affine[0, 3] += 7
    write_image(path, Image(old.data, affine))


def _turned(path: Path) -> None:
    """Store the image along another sense of its first axis, header and all."""
    old = read_image(path)
    affine = old.affine.copy()
    affine[:3, 0] *= -1
    affine[:3, 3] += old.affine[:3, 0] * (old.shape[0] - 1)
    write_image(path, Image(old.data[::-1], affine))


def _no_reference(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    spoiled = with_case(cases, 3, replace(cases.training[3], label_map=None))
    return spoiled, {("no_reference", image(cases).name)}


def _turn_case(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    _turned(image(cases))
    old = read_label_map(label_map(cases))
    turned = Image(old.data[::-1].copy(), read_image(image(cases)).affine)
    write_label_map(label_map(cases), turned.data, like=turned)
    return cases, {("orientation", image(cases).name)}


def _scale_spacing(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    for path, read in ((image(cases), read_image), (label_map(cases), read_label_map)):
        old = read(path)
        new = Image(old.data, old.affine @ np.diag([10.0, 10.0, 10.0, 1.0]))
        write_image(path, new) if read is read_image else write_label_map(path, new.data, like=new)
    return cases, {("spacing", image(cases).name)}


def _copy_image(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    """Another patient's image under another name, compressed otherwise; the labels were drawn anew."""
    shutil.copy(label_map(cases, 3), label_map(cases, 7))
    _relabel(label_map(cases, 7), lambda labels: np.where(labels == 2, 1, labels) * 1 + (labels == 2))
    content = gzip.decompress(image(cases, 3).read_bytes())
    image(cases, 7).write_bytes(gzip.compress(content, 1))
    changed = read_label_map(label_map(cases, 7))
    changed.data[1, 1, 1] = 1
    write_label_map(label_map(cases, 7), changed.data, like=changed)
    return cases, {("same_image", image(cases, 7).name)}


def _copy_case(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    """One patient's case twice, label map and all."""
    for of in (image, label_map):
        shutil.copy(of(cases, 3), of(cases, 7))
    spoiled = with_case(cases, 7, replace(cases.training[7], patient=cases.training[3].patient))
    return spoiled, {("same_image", image(cases, 7).name)}


def _copy_labels(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    labels = read_label_map(label_map(cases, 3)).data
    write_label_map(label_map(cases, 7), labels, like=read_image(image(cases, 7)))
    return cases, {("same_labels", label_map(cases, 7).name)}


def _no_cavity(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    for number in range(CASES - 3):
        _relabel(label_map(cases, number), lambda labels: np.minimum(labels, 1))
    return cases, {("absent_structure", cases.place.name)}


def _nothing_labelled(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    for number in range(CASES):
        _relabel(label_map(cases, number), np.zeros_like)
    maps = {("empty_labels", label_map(cases, number).name) for number in range(CASES)}
    return cases, {("empty_labels", cases.place.name), *maps}


def _torn_patient(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    """A patient of two cases, of which an official fold trains on one."""
    spoiled = with_case(cases, 7, replace(cases.training[7], patient=cases.training[3].patient))
    names = [case.name for case in cases.training]
    folds = tuple(
        Fold(training=tuple(n for n in names if n not in held), validation=tuple(held))
        for held in (names[:6], names[6:])
    )
    return replace(spoiled, folds=folds), {("patient_on_both_sides", cases.place.name)}


def _test_patient(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    *training, last = cases.training
    moved = replace(last, patient=cases.training[0].patient)
    return replace(cases, training=tuple(training), test=(moved,)), {("patient_on_both_sides", cases.place.name)}


def _one_name(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    spoiled = with_case(cases, 7, replace(cases.training[7], name=cases.training[3].name))
    return spoiled, {("same_name", cases.place.name)}


def _few(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    return replace(cases, folds=CASES + 1), {("few_patients", cases.place.name)}


def _blank_border(cases: CasesToCheck) -> tuple[CasesToCheck, Found]:
    _change(image(cases), lambda data: np.where(np.arange(SHAPE[0])[:, None, None] < 7, 0, data))
    return cases, {("outside_image", label_map(cases).name)}


def _repaired(path: Path) -> None:
    old = read_image(path)
    _write(path, old.data, old, sform_scale_mm=1.0)


FAULTS: dict[str, Fault] = {
    "missing image": Fault("blocks", _in_file("missing", Path.unlink)),
    "missing label map": Fault("blocks", _in_file("missing", Path.unlink, of=label_map)),
    "no label map": Fault("blocks", _no_reference),
    "cut file": Fault("blocks", _in_file("unreadable", _cut)),
    "cut label map": Fault("blocks", _in_file("unreadable", _cut, of=label_map)),
    "empty file": Fault("blocks", _in_file("unreadable", lambda path: path.write_bytes(b""))),
    "Git-LFS pointer": Fault(
        "blocks", _in_file("unreadable", lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"))
    ),
    "text file": Fault(
        "blocks", _in_file("unreadable", lambda path: path.write_bytes(gzip.compress(b"no image" * 99)))
    ),
    "2D": Fault("blocks", _in_file("geometry", lambda path: _save(path, np.ones(SHAPE[:2])))),
    "4D": Fault("blocks", _in_file("geometry", lambda path: _save(path, np.ones((*SHAPE, 3))))),
    "5D": Fault("blocks", _in_file("geometry", lambda path: _save(path, np.ones((*SHAPE, 3, 2))))),
    "NaN": Fault(
        "blocks", _in_file("not_finite", lambda path: _save(path, np.full(SHAPE, np.nan)))
    ),
    "shifted label map": Fault("blocks", _in_file("grid", _moved, of=label_map)),
    "unknown label": Fault(
        "blocks", _in_file("labels", lambda path: _relabel(path, lambda labels: labels * 4), of=label_map)
    ),
    "broken labels": Fault(
        "blocks", _in_file("labels", lambda path: _change(path, lambda data: data * 0.7), of=label_map)
    ),
    "image of two patients": Fault("blocks", _copy_image),
    "nothing labelled": Fault("blocks", _nothing_labelled),
    "patient in two folds": Fault("blocks", _torn_patient),
    "patient in the test split": Fault("blocks", _test_patient),
    "one name twice": Fault("blocks", _one_name),
    "few patients": Fault("blocks", _few),
    "case twice": Fault("warning", _copy_case),
    "label map twice": Fault("warning", _copy_labels),
    "empty label map": Fault(
        "warning", _in_file("empty_labels", lambda path: _relabel(path, np.zeros_like), of=label_map)
    ),
    "rare structure": Fault("warning", _no_cavity),
    "blank border": Fault("warning", _blank_border),
    "constant image": Fault("warning", _in_file("constant", lambda path: _change(path, np.ones_like))),
    "other scale": Fault(
        "warning", _in_file("intensity_range", lambda path: _change(path, lambda data: data / 5000))
    ),
    "other spacing": Fault("warning", _scale_spacing),
    "other orientation": Fault("warning", _turn_case),
    "untrue sform": Fault("note", _in_file("header_repaired", _repaired)),
}  # fmt: skip
"""Every fault of a data set with one MRI channel."""

CT_FAULTS: dict[str, Fault] = {
    "CT without intercept": Fault("warning", _in_file("units", lambda path: _change(path, lambda data: data + 1024))),
    "CT with two intercepts": Fault("warning", _in_file("units", lambda path: _change(path, lambda data: data - 1024))),
}
"""Faults of a data set with one CT channel."""

TWO_CHANNEL_FAULTS: dict[str, Fault] = {
    "shifted channel": Fault("blocks", _in_file("grid", _moved, of=lambda cases: image(cases, channel=1))),
    "channel twice": Fault(
        "warning",
        lambda cases: (
            shutil.copy(image(cases), image(cases, channel=1)),
            (cases, {("same_image", "case03_0001.nii.gz")}),
        )[1],
    ),
}
"""Faults of a data set with two MRI channels."""
