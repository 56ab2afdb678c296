"""M&Ms: cine cardiac MRI in short axis from six hospitals and four vendors (Campello et al., 2021).

211230_M&Ms_Dataset_information_diagnosis_opendataset.csv   a patient a row: vendor, centre, frames of ED and ES from 0
Training/Labeled/A0S9V9/{A0S9V9_sa.nii.gz, A0S9V9_sa_gt.nii.gz}   a series, and its label map with labels in two frames
Training/Unlabeled/, Validation/, Testing/
"""

from pathlib import Path

from uumamba.core.csv_rows import read_csv
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.anatomy import Anatomy
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.listing import Listing
from uumamba.data.problem import Problem, ProblemError
from uumamba.data.splits import Fold

_CODE, _NEEDED = "External code", ("ED", "ES")
_IMAGE, _REFERENCE = "_sa.nii.gz", "_sa_gt.nii.gz"
_UNLABELLED = "unlabeled"
_LAYOUT = "give the folder that holds Training, Validation, Testing and the table of patients"


def index(root: Path) -> Listing:
    """Two cases for each labelled patient, ED and ES, of `Training` and `Validation`, and those of `Testing`.

    `root` holds these folders and the table, or one folder that does. If `Validation` is there, it is that of the only
    official fold. Patients in `Training/Unlabeled` have empty label maps and are left out.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    home = next((each for each in (root, *sorted(root.glob("*"))) if (each / "Training").is_dir()), None)
    if home is None:
        return Listing((), problems=(Problem(root, "no folder Training of M&Ms here", _LAYOUT),))
    problems: list[Problem] = []
    try:
        rows = _read_table(home)
    except ProblemError as error:
        return Listing((), problems=(error.problem,))
    training, validation, testing = (
        _read_patients(home / split, rows, problems, needs_reference=split != "Testing")
        for split in ("Training", "Validation", "Testing")
    )
    if not training:
        problems.append(Problem(home / "Training", "no labelled series (A0S9V9_sa.nii.gz) here", _LAYOUT))
    return Listing(
        training=training + validation,
        test=testing,
        folds=(Fold(training=_names(training), validation=_names(validation)),) if validation else None,
        problems=tuple(problems),
    )


def _names(cases: tuple[Case, ...]) -> tuple[str, ...]:
    return tuple(sorted(case.name for case in cases))


def _read_table(home: Path) -> dict[str, dict[str, str]]:
    """Code of a patient -> its row; raises `ProblemError`."""
    for path in sorted((*home.glob("*.csv"), *home.parent.glob("*.csv"))):
        try:
            table = read_csv(path)
        except InputError as error:
            raise ProblemError(path, str(error).removeprefix(f"{path}: "), "take M&Ms's own again") from None
        if _CODE in table.columns:
            if missing := [column for column in _NEEDED if column not in table.columns]:
                raise ProblemError(path, f"has no column {' and '.join(missing)}", "take M&Ms's own again")
            return {row[_CODE]: row for _, row in table.rows}
    what = f"no table (*.csv) with the column {_CODE} here, which tells the frames of ED and ES"
    raise ProblemError(home, what, "put M&Ms's own there")


def _read_patients(
    folder: Path, rows: dict[str, dict[str, str]], problems: list[Problem], *, needs_reference: bool
) -> tuple[Case, ...]:
    """The cases of a split; what is wrong is added to `problems`."""
    cases: list[Case] = []
    for image in sorted(folder.rglob(f"*{_IMAGE}")):
        parts = [part.casefold() for part in image.relative_to(folder).parts]
        if _UNLABELLED in parts or any(part.startswith(".") for part in parts):
            continue
        try:
            cases += _read_patient(image, rows, needs_reference=needs_reference)
        except ProblemError as error:
            problems.append(error.problem)
    return tuple(cases)


def _read_patient(image: Path, rows: dict[str, dict[str, str]], *, needs_reference: bool) -> list[Case]:
    code = image.name[: -len(_IMAGE)]
    if code not in rows:
        raise ProblemError(
            image, f"{code} is not in the table of patients, so its ED and ES are unknown", "add its row"
        )
    row = rows[code]
    frames = {phase: _frame(image, row, phase) for phase in ("ED", "ES")}
    if frames["ED"] == frames["ES"]:
        raise ProblemError(image, f"the table says that ED and ES are both frame {frames['ED']}", "they must differ")
    reference = image.with_name(code + _REFERENCE)
    if needs_reference and not reference.is_file():
        raise ProblemError(reference, "no such file, but a training case needs its reference label map", "restore it")
    label_map = reference if reference.is_file() else None
    return [
        Case(
            name=f"{code}_sa_frame{frame + 1:02d}",
            patient=code,
            images=(image,),
            label_map=label_map,
            details=_details(row, phase, frame),
            frames=(frame,),
            label_frame=None if label_map is None else frame,
        )
        for phase, frame in sorted(frames.items(), key=lambda item: item[1])
    ]


def _details(row: dict[str, str], phase: str, frame: int) -> dict[str, str | float | int | None]:
    """What the table tells; frames are counted from 1 here, as everywhere that people read them."""
    texts = {"group": "Pathology", "vendor": "Vendor", "centre": "Centre"}
    numbers = {"height_cm": "Height", "weight_kg": "Weight"}
    return {
        **{name: row[column] for name, column in texts.items() if row.get(column)},
        "phase": phase,
        "frame": frame + 1,
        **{name: _positive(row.get(column, "")) for name, column in numbers.items()},
    }


def _frame(image: Path, row: dict[str, str], phase: str) -> int:
    if not row[phase].isdecimal():
        what = f"the table says that {phase} is frame {row[phase]!r}"
        raise ProblemError(image, what, "it must be a whole number from 0 on")
    return int(row[phase])


def _positive(text: str) -> float | None:
    """A number above 0; None where the table has none, as for some patients."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


_DESCRIPTION = DatasetDescription(
    name="mnms",
    title="M&Ms, cine cardiac MRI in short axis from several vendors",
    labels=LabelSet(names=("background", "LV", "MYO", "RV")),
    channels=("MRI",),
    mirrored_axes=(0, 1, 2),
    surface_tolerance_mm=2.0,
    anatomy=Anatomy(
        pieces={"LV": 1, "MYO": 1, "RV": 1},
        pieces_together=1,
        touches={"RV": ("MYO",), "LV": ("MYO",)},
        solid=("RV", "LV"),
    ),
    licence="for research, as www.ub.edu/mnms says",
    citation=(
        "V. M. Campello, P. Gkontra, C. Izquierdo, C. Martín-Isla et al. Multi-Centre, Multi-Vendor and Multi-Disease "
        "Cardiac Segmentation: The M&Ms Challenge. IEEE Transactions on Medical Imaging 40(12), 3543-3554, 2021. "
        "doi:10.1109/TMI.2021.3090082"
    ),
)

MNMS = Dataset(_DESCRIPTION, index)
