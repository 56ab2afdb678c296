"""ACDC: cine cardiac MRI in short axis, end-diastole and end-systole of 150 patients (Bernard et al., 2018).

database/{training,testing}/patientNNN/{Info.cfg, patientNNN_frameFF.nii.gz, patientNNN_frameFF_gt.nii.gz}
"""

import math
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.anatomy import Anatomy
from uumamba.data.datasets.dataset import Dataset

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
_LAYOUT = "give the folder that holds database/training/patient001/Info.cfg"


def index_training(root: Path) -> tuple[Case, ...]:
    """The cases of `database/training`, by patient and frame, each with its reference.

    `root` is the folder that holds `database/`, or `database/` itself, or `training/`. Raises `InputError` if a folder,
    a patient, an `Info.cfg`, one of its keys, an image or a reference is missing, and for an impossible number.
    """
    folder = _find_split(root, "training")
    if folder is None and _patient_folders(root):
        folder = root
    if folder is None:
        raise InputError(f"{root}: no ACDC training patients here; {_LAYOUT}")
    patients = _patient_folders(folder)
    if not patients:
        raise InputError(f"{folder}: no patient folders (patient001, patient002, ...) here; {_LAYOUT}")
    return tuple(case for patient in patients for case in _read_patient(patient, reference_required=True))


def index_test(root: Path) -> tuple[Case, ...]:
    """The cases of the official test split `database/testing`; empty if it is not there.

    `root` as in `index_training`. The references are optional: they were withheld for years.
    """
    folder = _find_split(root, "testing")
    patients = _patient_folders(folder) if folder else []
    return tuple(case for patient in patients for case in _read_patient(patient, reference_required=False))


def index_all(root: Path) -> tuple[Case, ...]:
    """Training and test cases, whichever are there; empty if `root` is not laid out as ACDC.

    Raises `InputError` if it is, but broken.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    training = _find_split(root, "training") or (root if _patient_folders(root) else None)
    folders = [folder for folder in (training, _find_split(root, "testing")) if folder is not None]
    patients = {patient.resolve(): patient for folder in folders for patient in _patient_folders(folder)}
    return tuple(case for patient in patients.values() for case in _read_patient(patient, reference_required=False))


def _find_split(root: Path, split: str) -> Path | None:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    beside = [root.parent / split] if root.resolve().name in ("training", "testing") else []
    for folder in (root / "database" / split, root / split, *beside):
        if folder.is_dir():
            return folder
    return None


def _patient_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("patient[0-9]*") if path.is_dir())


def _read_patient(folder: Path, *, reference_required: bool) -> list[Case]:
    info = _read_info(folder / "Info.cfg")
    frames = {phase: _frame(info, phase, folder) for phase in ("ED", "ES")}
    if frames["ED"] == frames["ES"]:
        raise InputError(f"{folder / 'Info.cfg'}: ED and ES are both frame {frames['ED']}; they must differ")
    cases = []
    for phase, frame in sorted(frames.items(), key=lambda item: item[1]):
        name = f"{folder.name}_frame{frame:02d}"
        image, reference = folder / f"{name}.nii.gz", folder / f"{name}_gt.nii.gz"
        if not image.is_file():
            raise InputError(f"{image}: no such file, but Info.cfg says that {phase} is frame {frame}; restore it")
        if reference_required and not reference.is_file():
            raise InputError(f"{reference}: no such file; a training case needs its reference label map: restore it")
        details: dict[str, str | float | int | None] = {
            "group": _require(info, "Group", folder),
            "phase": phase,
            "frame": frame,
            "height_cm": _positive(info, "Height", folder),
            "weight_kg": _positive(info, "Weight", folder),
        }
        cases.append(Case(name, folder.name, (image,), reference if reference.is_file() else None, details))
    return cases


def _read_info(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise InputError(f"{path}: no such file, but it tells which frames are ED and ES; restore it from ACDC")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _require(info: dict[str, str], key: str, folder: Path) -> str:
    if key not in info:
        found = ", ".join(info) or "none"
        raise InputError(f"{folder / 'Info.cfg'}: the key {key!r} is missing (found: {found}); restore it from ACDC")
    return info[key]


def _frame(info: dict[str, str], phase: str, folder: Path) -> int:
    text = _require(info, phase, folder)
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"{folder / 'Info.cfg'}: {phase} must be a frame, a whole number from 1 on, got {text!r}; restore it"
        )
    return int(text)


def _positive(info: dict[str, str], key: str, folder: Path) -> float:
    text = _require(info, key, folder)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"{folder / 'Info.cfg'}: {key} must be a number above 0, got {text!r}; restore it")
    return value


ACDC = Dataset(
    name="acdc",
    title="ACDC, cine cardiac MRI in short axis",
    labels=LabelSet(names=("background", "RV", "MYO", "LV")),
    channels=("MRI",),
    mirrored_axes=(0, 1, 2),
    surface_tolerance_mm=2.0,
    anatomy=Anatomy(
        pieces={"RV": 1, "MYO": 1, "LV": 1},
        pieces_together=1,
        touches={"RV": ("MYO",), "LV": ("MYO",)},
        solid=("RV", "LV"),
    ),
    index=index_training,
    index_test=index_test,
    index_all=index_all,
    licence="CC BY-NC-SA 4.0",
    citation=(
        "O. Bernard, A. Lalande, C. Zotti, F. Cervenansky et al. Deep Learning Techniques for Automatic MRI Cardiac "
        "Multi-Structures Segmentation and Diagnosis: Is the Problem Solved? IEEE Transactions on Medical Imaging "
        "37(11), 2514-2525, 2018. doi:10.1109/TMI.2018.2837502"
    ),
)
