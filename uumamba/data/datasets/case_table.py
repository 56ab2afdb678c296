"""A data set that its owner lists in a CSV table, with what a table cannot say in a YAML file beside it.

cases.csv     case,image,label,patient,fold           or image_T1,image_T2 ... in the place of image
cases.yaml    labels: {background: 0, aorta: 1}       and, if wanted: title, tubular, mirrored_axes, licence ...

A list of numbers makes a region, and regions_class_order says what each writes, as in nnU-Net's dataset.json.
Only image and label are needed. Paths are relative to the table's folder. `fold` is a number from 0, in whose fold the
case is held out, or `test`; any other column becomes a detail of the case, such as a group that folds are balanced for.
"""

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import PositiveFloat, ValidationError

from uumamba.core.csv_rows import read_csv
from uumamba.core.errors import InputError
from uumamba.core.settings import Settings, first_problem
from uumamba.core.strict_yaml import read_yaml
from uumamba.data.case import Case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.own_description import describe_own
from uumamba.data.datasets.spec import own_name
from uumamba.data.nnunet_dataset import read_label_set
from uumamba.data.problem import Problem, ProblemError
from uumamba.data.splits import Fold
from uumamba.imaging.files import image_stem

_IMAGE, _CASE, _LABEL, _PATIENT, _FOLD, _TEST = "image", "case", "label", "patient", "fold", "test"
_EXAMPLE = "write for example `labels: {background: 0, aorta: 1}`"


class _Beside(Settings):
    """The YAML file beside the table; what it leaves out is assumed as `describe_own` says."""

    labels: dict[str, int | list[int]]
    regions_class_order: list[int] | None = None
    title: str | None = None
    tubular: tuple[str, ...] = ()
    mirrored_axes: tuple[Literal[0, 1, 2], ...] | None = None
    surface_tolerance_mm: PositiveFloat | None = None
    licence: str = ""
    citation: str = ""


def case_table_dataset(table: Path) -> Dataset:
    """The data set of a table, called after the file; raises `InputError` if table or YAML file cannot be used."""
    if not table.is_file():
        raise InputError(f"{table}: no such file; give a CSV table with the columns image and label")
    images = _image_columns(table, read_csv(table).columns)
    where = table.with_suffix(".yaml")
    if not where.is_file():
        raise InputError(f"{where}: no such file, but it must name the labels of {table.name}; {_EXAMPLE}")
    content = read_yaml(where)
    try:
        beside = _Beside.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}: {first_problem(error)}; {_EXAMPLE}") from None
    labels = read_label_set(beside.labels, str(where), order=beside.regions_class_order)
    if unknown := [name for name in beside.tubular if name not in labels.members]:
        there = ", ".join(labels.members)
        raise InputError(f"{where}: tubular: {unknown[0]!r} is no structure; there are {there}; correct the name")
    channels = tuple(column.removeprefix(f"{_IMAGE}_") for column in images)
    description = describe_own(own_name(table), labels, channels, licence=beside.licence, citation=beside.citation)
    said = {name: getattr(beside, name) for name in ("title", "tubular", "mirrored_axes", "surface_tolerance_mm")}
    description = description.model_copy(update={name: value for name, value in said.items() if value is not None})
    return Dataset(description, partial(_index, images=images), root=table)


def _image_columns(table: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of images: `image`, or `image_<channel>` for each channel in the table's order."""
    named = tuple(column for column in columns if column.startswith(f"{_IMAGE}_"))
    images = named or ((_IMAGE,) if _IMAGE in columns else ())
    missing = [] if images else [f"{_IMAGE} (or {_IMAGE}_CT, {_IMAGE}_T1 ...)"]
    missing += [] if _LABEL in columns else [_LABEL]
    if missing or (named and _IMAGE in columns):
        fault = f"needs the column {' and '.join(missing)}" if missing else f"has {_IMAGE} beside {', '.join(named)}"
        raise InputError(f"{table}: {fault}; it has {', '.join(columns) or 'none'}; correct its first line")
    return images


def _index(table: Path, *, images: tuple[str, ...]) -> Listing:
    problems: list[Problem] = []
    cases: dict[str, Case] = {}
    folds: dict[str, str] = {}
    for line, row in read_csv(table).rows:
        try:
            case = _case(table, line, row, images)
        except ProblemError as error:
            problems.append(error.problem)
            continue
        if case.name in cases:
            problems.append(Problem(table, f"line {line}: the case {case.name} is there already", "rename one"))
        else:
            cases[case.name], folds[case.name] = case, row.get(_FOLD, "")
    training = tuple(case for case in cases.values() if folds[case.name] != _TEST)
    if not training:
        problems.append(Problem(table, "lists no case to train on", "give a row for each, with image and label"))
    return Listing(
        training=training,
        test=tuple(case for case in cases.values() if folds[case.name] == _TEST),
        folds=_folds(table, training, folds, problems),
        problems=tuple(problems),
    )


def _case(table: Path, line: int, row: dict[str, str], images: tuple[str, ...]) -> Case:
    """The case of a row; raises `ProblemError`."""
    empty = [column for column in images if not row[column]]
    if not row[_LABEL] and row.get(_FOLD) != _TEST:
        empty.append(_LABEL)
    if empty:
        raise ProblemError(table, f"line {line}: {', '.join(empty)} is empty", "fill it in, or remove the row")
    files = [table.parent / row[column] for column in images]
    label_map = table.parent / row[_LABEL] if row[_LABEL] else None
    for path in (*files, *([label_map] if label_map else [])):
        if not path.is_file():
            raise ProblemError(path, f"no such file, but {table.name} names it in line {line}", "correct the path")
    name = row.get(_CASE) or image_stem(files[0])
    if name.startswith(".") or Path(name).name != name:
        raise ProblemError(table, f"line {line}: the case {name!r} cannot name a file", "leave out / and leading dots")
    known = (*images, _CASE, _LABEL, _PATIENT, _FOLD)
    details: dict[str, str | float | int | None] = {key: text for key, text in row.items() if key not in known and text}
    return Case(name, row.get(_PATIENT) or name, tuple(files), label_map, details)


def _folds(
    table: Path, training: tuple[Case, ...], fold_of: dict[str, str], problems: list[Problem]
) -> tuple[Fold, ...] | None:
    """The folds that the table names, or None if it names none."""
    named = {case.name: fold_of[case.name] for case in training}
    if not any(named.values()):
        return None
    if wrong := sorted(name for name, fold in named.items() if not fold.isdecimal()):
        what = f"the fold of {wrong[0]} is {named[wrong[0]]!r}"
        problems.append(Problem(table, what, f"give every case a number from 0, or {_TEST}"))
        return None
    count = 1 + max(map(int, named.values()))
    if empty := sorted(set(range(count)) - set(map(int, named.values()))):
        problems.append(Problem(table, f"no case is in fold {empty[0]}", f"number the folds from 0 to {count - 1}"))
        return None
    if count == 1:
        problems.append(Problem(table, "all cases are in fold 0, so none is left to train on", "use two folds or more"))
        return None
    return tuple(
        Fold(
            training=tuple(sorted(name for name in named if int(named[name]) != fold)),
            validation=tuple(sorted(name for name in named if int(named[name]) == fold)),
        )
        for fold in range(count)
    )
