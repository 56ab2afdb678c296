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
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.listing import Listing
from uumamba.data.problem import Problem, ProblemError

GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
ONE_PERSON = (frozenset({"patient074", "patient076"}),)
"""Equal voxel for voxel in both frames, with group, height and weight; the label maps were drawn twice."""
_LAYOUT = "give the folder that holds database/training/patient001/Info.cfg"


def index(root: Path) -> Listing:
    """The cases of `database/training` and `database/testing`, by patient and frame.

    `root` is the folder that holds `database/`, or `database/` itself, or one of the two, or a folder of patients,
    which are then for training. References of the test split are optional: they were withheld for years.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    training = _find_split(root, "training") or (root if _patient_folders(root) else None)
    problems: list[Problem] = []
    testing = _find_split(root, "testing")
    if training is None and testing is None:
        problems.append(Problem(root, "no ACDC training patients here", _LAYOUT))
    elif training and not _patient_folders(training):
        problems.append(Problem(training, "no patient folders (patient001, patient002, ...) here", _LAYOUT))
    if testing == training:
        testing = None
    return Listing(
        training=_read_patients(training, problems, needs_reference=True) if training else (),
        test=_read_patients(testing, problems, needs_reference=False) if testing else (),
        problems=tuple(problems),
        one_person=ONE_PERSON,
    )


def _find_split(root: Path, split: str) -> Path | None:
    beside = [root.parent / split] if root.resolve().name in ("training", "testing") else []
    for folder in (root / "database" / split, root / split, *beside):
        if folder.is_dir():
            return folder
    return None


def _patient_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("patient[0-9]*") if path.is_dir())


def _read_patients(folder: Path, problems: list[Problem], *, needs_reference: bool) -> tuple[Case, ...]:
    """The cases of a split; what is wrong is added to `problems`."""
    cases: list[Case] = []
    for patient in _patient_folders(folder):
        try:
            of_patient = _read_patient(patient)
        except ProblemError as error:
            problems.append(error.problem)
            continue
        for case in of_patient:
            problem = _missing_file(case, needs_reference=needs_reference)
            if problem is None:
                cases.append(case)
            else:
                problems.append(problem)
    return tuple(cases)


def _missing_file(case: Case, *, needs_reference: bool) -> Problem | None:
    (image,) = case.images
    if not image.is_file():
        why = f"Info.cfg says that {case.details['phase']} is frame {case.details['frame']}"
        return Problem(image, f"no such file, but {why}", "restore it")
    if needs_reference and case.label_map is None:
        reference = image.with_name(f"{case.name}_gt.nii.gz")
        return Problem(reference, "no such file, but a training case needs its reference label map", "restore it")
    return None


def _read_patient(folder: Path) -> list[Case]:
    info = _read_info(folder / "Info.cfg")
    frames = {phase: _frame(info, phase, folder) for phase in ("ED", "ES")}
    if frames["ED"] == frames["ES"]:
        raise ProblemError(folder / "Info.cfg", f"ED and ES are both frame {frames['ED']}", "they must differ")
    cases = []
    for phase, frame in sorted(frames.items(), key=lambda item: item[1]):
        name = f"{folder.name}_frame{frame:02d}"
        image, reference = folder / f"{name}.nii.gz", folder / f"{name}_gt.nii.gz"
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
        raise ProblemError(path, "no such file, but it tells which frames are ED and ES", "restore it from ACDC")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _require(info: dict[str, str], key: str, folder: Path) -> str:
    if key not in info:
        found = ", ".join(info) or "none"
        raise ProblemError(folder / "Info.cfg", f"the key {key!r} is missing (found: {found})", "restore it from ACDC")
    return info[key]


def _frame(info: dict[str, str], phase: str, folder: Path) -> int:
    text = _require(info, phase, folder)
    if not text.isdecimal() or int(text) < 1:
        what = f"{phase} must be a frame, a whole number from 1 on, got {text!r}"
        raise ProblemError(folder / "Info.cfg", what, "restore it")
    return int(text)


def _positive(info: dict[str, str], key: str, folder: Path) -> float:
    text = _require(info, key, folder)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ProblemError(folder / "Info.cfg", f"{key} must be a number above 0, got {text!r}", "restore it")
    return value


_DESCRIPTION = DatasetDescription(
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
    licence="CC BY-NC-SA 4.0",
    citation=(
        "O. Bernard, A. Lalande, C. Zotti, F. Cervenansky et al. Deep Learning Techniques for Automatic MRI Cardiac "
        "Multi-Structures Segmentation and Diagnosis: Is the Problem Solved? IEEE Transactions on Medical Imaging "
        "37(11), 2514-2525, 2018. doi:10.1109/TMI.2018.2837502"
    ),
)

ACDC = Dataset(_DESCRIPTION, index)
