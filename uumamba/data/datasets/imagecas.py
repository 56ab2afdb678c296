"""ImageCAS: coronary CT angiography of 1000 patients (Zeng et al., 2023).

1-200/1.img.nii.gz, 1-200/1.label.nii.gz ... 801-1000/1000.label.nii.gz   or all in one folder
imageCAS_data_split.xlsx                                                 the four official splits
"""

import re
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.anatomy import Anatomy
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.imagecas_split import PARTS, read_split_sheet
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.pairs import in_words, pair_files, sorted_by_number
from uumamba.data.problem import Problem, ProblemError
from uumamba.data.splits import Fold

PATIENTS = 1000
ARTERY = "coronary artery"

_IMAGE = re.compile(r"0*([1-9]\d*)\.img\.nii(?:\.gz)?", re.ASCII)
_LABEL_MAP = re.compile(r"0*([1-9]\d*)\.label\.nii(?:\.gz)?", re.ASCII)
_WORKBOOK = "imageCAS_data_split.xlsx"
_LAYOUT = "give the folder that holds 1-200/1.img.nii.gz and 1-200/1.label.nii.gz, unpacked"


def index(root: Path) -> Listing:
    """The pairs of all shard folders below `root`, and the official folds where their workbook is.

    Every case is for training: which of them a fold tests on, the fold says. Without the workbook there are no official
    folds. Missing and half cases are left out, and told; a number that is there twice blocks.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    pairs = pair_files(root, _IMAGE, _LABEL_MAP)
    problems = list(pairs.problems)
    if not pairs.files:
        return Listing((), problems=(*problems, Problem(root, "no pair of ImageCAS here", _LAYOUT)))
    cases = tuple(Case(name, name, (image,), label_map) for name, (image, label_map) in pairs.files.items())
    splits = _read_splits(root, problems)
    expected = {str(number) for number in range(1, PATIENTS + 1)} if splits is None else splits.keys()
    if missing := sorted_by_number(expected - pairs.files.keys() - pairs.half):
        what = f"{len(missing)} of {len(expected)} cases are missing: {in_words(missing)}"
        problems.append(Problem(root, what, "unpack all five archives, if all are wanted", blocks=False))
    folds = None if splits is None else _folds(root, cases, splits, problems)
    return Listing(cases, folds=folds, problems=tuple(problems))


def _read_splits(root: Path, problems: list[Problem]) -> dict[str, tuple[str, ...]] | None:
    """Case -> its part in each split; None, and a problem, if that cannot be known."""
    books = sorted(path for path in root.rglob("*[sS]plit*.xlsx") if not path.name.startswith((".", "~")))
    if not books:
        what = "no such file, so folds are made by patient, and not the official ones"
        problems.append(Problem(root / _WORKBOOK, what, "put it there for the official four", blocks=False))
        return None
    try:
        return read_split_sheet(books[0])
    except ProblemError as error:
        problems.append(error.problem)
        return None


def _folds(
    root: Path, cases: tuple[Case, ...], splits: dict[str, tuple[str, ...]], problems: list[Problem]
) -> tuple[Fold, ...] | None:
    """The official folds of the cases that are there."""
    if unlisted := sorted_by_number({case.name for case in cases} - splits.keys()):
        what = f"the sheet of splits lacks {in_words(unlisted)}, in no fold therefore"
        problems.append(Problem(root, what, "take the workbook of the same download", blocks=False))
    listed = sorted(case.name for case in cases if case.name in splits)
    count = len(next(iter(splits.values())))
    folds = tuple(
        Fold(**{part: tuple(name for name in listed if splits[name][number] == part) for part in PARTS})
        for number in range(count)
    )
    if all(fold.training and fold.validation for fold in folds):
        return folds
    what = "too few cases for the official folds, one of which trains or validates on none; folds are made by patient"
    problems.append(Problem(root, what, "unpack more of the archives", blocks=False))
    return None


_DESCRIPTION = DatasetDescription(
    name="imagecas",
    title="ImageCAS, coronary CT angiography",
    labels=LabelSet(names=("background", ARTERY)),
    channels=("CT",),
    mirrored_axes=(0, 1, 2),
    surface_tolerance_mm=0.5,
    anatomy=Anatomy(pieces={ARTERY: 2}, fragments=(ARTERY,)),
    licence="Apache-2.0, as its Kaggle page declares",
    citation=(
        "A. Zeng, C. Wu, G. Lin, W. Xie, J. Hong, M. Huang, J. Zhuang, S. Bi, D. Pan, N. Ullah, K. N. Khan, T. Wang, "
        "Y. Shi, X. Li, X. Xu. ImageCAS: A large-scale dataset and benchmark for coronary artery segmentation based on "
        "computed tomography angiography images. Computerized Medical Imaging and Graphics 109, 102287, 2023. "
        "doi:10.1016/j.compmedimag.2023.102287"
    ),
    tubular=(ARTERY,),
)

IMAGECAS = Dataset(_DESCRIPTION, index)
