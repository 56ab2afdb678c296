"""Two results compared: pairs, summaries, what differs in their making, and one sentence that claims no more."""

from collections.abc import Mapping
from dataclasses import dataclass

from uumamba.core.errors import InputError
from uumamba.evaluation.number_text import count_text
from uumamba.evaluation.paired import (
    ENOUGH_FOR_A_TEST,
    Pair,
    PairedSummary,
    pair_scores,
    summarise_overall,
    summarise_structures,
)
from uumamba.evaluation.result import Result
from uumamba.evaluation.settings_diff import Difference, different_settings, rivalry_warnings

_ALPHA = 0.05
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Comparison:
    """B against A. `only_in_a` and `only_in_b` are cases that one of them lacks; they are left out.

    `settings` maps a setting's dotted name to its values in A and B where they differ. `warnings` are sentences that
    the reader of the numbers must know.
    """

    a: Result
    b: Result
    pairs: tuple[Pair, ...]
    structures: tuple[PairedSummary, ...]
    overall: PairedSummary
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    settings: Mapping[str, Difference]
    warnings: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The result in words."""
        return f"{_figures(self.overall)}: {_verdict(self.overall)}. {_REACH}"


_REACH = "One run each, so the spread between seeds is not in this interval."


def compare_results(a: Result, b: Result) -> Comparison:
    """Pair the cases that both results have.

    Raises `InputError` if there is none, if they share no structure, or if they know one case as two patients'.
    """
    common = a.dice.keys() & b.dice.keys()
    if not common:
        raise InputError(
            f"{a.path} and {b.path} have no case in common ({_some(a.dice)} against {_some(b.dice)}); "
            "compare results on the same cases, such as the same fold of two trainings"
        )
    structures = [name for name in a.structures if name in b.structures]
    if not structures:
        raise InputError(
            f"{a.path} and {b.path} have no structure in common ({', '.join(a.structures)} against "
            f"{', '.join(b.structures)}); compare results of one data set"
        )
    patients = _patients(a, b)
    pairs = pair_scores(a.dice, b.dice, patients, structures)
    only_in_a, only_in_b = (tuple(sorted(side.dice.keys() - common)) for side in (a, b))
    summaries, overall = summarise_structures(pairs), summarise_overall(pairs)
    warnings = [
        *_same_folder(a, b),
        *_left_out(only_in_a, only_in_b, len(common)),
        *_structures_left_out(a, b),
        *_unpaired(summaries),
        *_without_patients(common, patients),
        *rivalry_warnings(a, b),
    ]
    return Comparison(a, b, pairs, summaries, overall, only_in_a, only_in_b, different_settings(a, b), tuple(warnings))


def _patients(a: Result, b: Result) -> dict[str, str]:
    for case in sorted(a.patients.keys() & b.patients.keys()):
        if a.patients[case] != b.patients[case]:
            raise InputError(
                f"{case} is of {a.patients[case]} in {a.path}, but of {b.patients[case]} in {b.path}; "
                "compare results of one data set"
            )
    return {**b.patients, **a.patients}


def _figures(overall: PairedSummary) -> str:
    if overall.difference is None:
        return "Mean Dice over structures: no case has a value in both"
    interval = "no interval"
    if overall.interval.low is not None and overall.interval.high is not None:
        interval = f"95 % interval {overall.interval.low:+.4f} to {overall.interval.high:+.4f}"
    test = "no test" if overall.p is None else f"p = {overall.p:.2g}"
    count = f"{count_text(overall.patients, 'patient')}, {count_text(overall.cases, 'case')}"
    return f"Mean Dice over structures: B - A = {overall.difference:+.4f} ({interval}, {test}, {count})"


def _verdict(overall: PairedSummary) -> str:
    """What may be said: a difference only if interval and test both show it, and there is a test."""
    low, high = overall.interval.low, overall.interval.high
    if overall.cases and overall.equal == overall.cases:
        return "A and B are equal on every case"
    if overall.difference is None or low is None or high is None or overall.p is None:
        return f"too few patients to tell, it takes {ENOUGH_FOR_A_TEST}"
    if low <= 0 <= high and overall.p > _ALPHA:
        return "no difference can be told from these cases"
    if low <= 0 <= high or overall.p > _ALPHA:
        return "interval and test do not agree, so no difference can be told from these cases"
    return f"{'B' if overall.difference > 0 else 'A'} is higher on these cases"


def _same_folder(a: Result, b: Result) -> list[str]:
    return ["A and B are the same folder"] if a.path.resolve() == b.path.resolve() else []


def _left_out(only_in_a: tuple[str, ...], only_in_b: tuple[str, ...], common: int) -> list[str]:
    if not only_in_a and not only_in_b:
        return []
    return [
        f"compared on the {count_text(common, 'case')} that both have; left out are {len(only_in_a)} of A alone "
        f"({_some(only_in_a)}) and {len(only_in_b)} of B alone ({_some(only_in_b)})"
    ]


def _structures_left_out(a: Result, b: Result) -> list[str]:
    return [
        f"{', '.join(names)}: in {side} alone, left out"
        for side, one, other in (("A", a, b), ("B", b, a))
        if (names := [name for name in one.structures if name not in other.structures])
    ]


def _unpaired(summaries: tuple[PairedSummary, ...]) -> list[str]:
    return [
        f"{each.structure}: {count_text(count, 'case')} left out that {side} alone has a score of; "
        "a failed case or a false positive of one side may hide there"
        for each in summaries
        for side, count in (("A", each.only_a), ("B", each.only_b))
        if count
    ]


def _without_patients(common: set[str], patients: Mapping[str, str]) -> list[str]:
    unknown = sorted(common - patients.keys())
    if not unknown:
        return []
    return [
        f"the patient of {count_text(len(unknown), 'case')} is not known ({_some(unknown)}), so each counts as a "
        "patient of its own and the interval may be too narrow; compare runs in their work folder, or evaluate "
        "against the data set's own folder with --dataset, or with --groups"
    ]


def _some(names: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    shown = sorted(names)[:_NAMES_SHOWN]
    return (", ".join(shown) + (", ..." if len(names) > _NAMES_SHOWN else "")) or "none"
