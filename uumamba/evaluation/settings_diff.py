"""What differs between the makings of two results: settings by their dotted names, splits, data, grids."""

from collections.abc import Collection, Mapping
from typing import Any

from uumamba.core.settings import leaves
from uumamba.evaluation.result import Result

_MACHINE = ("precision", "scan_backend", "filter_backend", "device_name", "parameters", "git")
_MAY_DIFFER = (*_MACHINE, "hardware")
"""Within one run: what a training may change from fold to fold."""
_NOT_THERE = "not there"

Difference = tuple[Any, Any]


def different_settings(a: Result, b: Result) -> dict[str, Difference]:
    """Dotted name -> (value in A, value in B) of every setting that differs; empty where one has no run record."""
    if not a.records or not b.records:
        return {}
    return record_differences(next(iter(a.records.values())), next(iter(b.records.values())))


def record_differences(
    one: Mapping[str, Any], other: Mapping[str, Any], *, skip: Collection[str] = ()
) -> dict[str, Difference]:
    """Dotted name -> both values, where two run records differ in configuration, precision, device, scan or program."""
    return nested_differences(_settings(one), _settings(other), skip=skip)


def nested_differences(
    one: Mapping[str, Any], other: Mapping[str, Any], *, skip: Collection[str] = ()
) -> dict[str, Difference]:
    """Dotted name -> both values ("not there" for none) of each setting that differs in two nested configurations.

    A setting that one has as None and the other has not does not differ. `skip` names settings and whole branches that
    do not count.
    """
    left, right = leaves(one), leaves(other)
    different = [name for name in dict.fromkeys([*left, *right]) if left.get(name) != right.get(name)]
    return {
        name: (left.get(name, _NOT_THERE), right.get(name, _NOT_THERE))
        for name in different
        if not any(f"{name}.".startswith(f"{branch}.") for branch in skip)
    }


def rivalry_warnings(a: Result, b: Result) -> list[str]:
    """Sentences on what keeps this from being a comparison of two settings alone: other splits, other data."""
    warnings = []
    for name, result in (("A", a), ("B", b)):
        if not result.records:
            warnings.append(f"{name} is an evaluation: make sure that its model was not trained on these cases")
        warnings += [f"{name}: {text}" for text in fold_warnings(result)]
        if result.unfinished:
            warnings.append(f"{name}: no validation yet of fold {', '.join(result.unfinished)}, which is left out")
    warnings += _different_grids(a, b)
    both = [fold for fold in a.records if fold in b.records]
    for key, text in (("split", "trained on other splits"), ("data_hash", "trained on other data")):
        if unlike := [fold for fold in both if a.records[fold].get(key) != b.records[fold].get(key)]:
            warnings.append(f"A and B were {text} (fold {', '.join(unlike)})")
    if a.records and b.records and a.records.keys() != b.records.keys():
        warnings.append(f"A has the folds {', '.join(a.records)}, B {', '.join(b.records)}")
    return warnings


def _different_grids(a: Result, b: Result) -> list[str]:
    """Dice depends on its grid: a run's is at its plan's spacing, an evaluation's on the images' own grids."""
    advice = "run `uumamba evaluate` for both"
    if bool(a.records) != bool(b.records):
        return [f"the run's Dice was taken at its plan's spacing, the evaluation's on the images' own grids; {advice}"]
    left, right = ({_spacing(record) for record in side.records.values()} for side in (a, b))
    return [] if left == right else [f"A and B were validated on grids of different spacing; {advice}"]


def _spacing(record: Mapping[str, Any]) -> str:
    plan = record.get("plan", {})
    return f"{plan.get('configuration')}, {plan.get('spacing_mm')}"


def fold_warnings(result: Result) -> list[str]:
    """Sentences on folds of one run that were trained with other settings than its first."""
    warnings = []
    first = next(iter(result.records), "")
    for fold, record in result.records.items():
        differences = record_differences(result.records[first], record, skip=_MAY_DIFFER)
        if differences:
            listed = ", ".join(f"{key} ({one}, {other})" for key, (one, other) in differences.items())
            warnings.append(f"fold {fold} was trained with other settings than fold {first}: {listed}")
    return warnings


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    machine = {name: record[name] for name in _MACHINE if name in record}
    return {**record.get("configuration", {}), **machine}
