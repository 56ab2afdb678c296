"""An evaluation for the screen: tables of at most some 90 columns, and the remarks that belong below them."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from uumamba.evaluation.confidence import FAILURE_DICE
from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.number_text import count_text, number_text, range_text, spread_text
from uumamba.evaluation.output_folder import DOCUMENT
from uumamba.evaluation.quantities import QUANTITIES
from uumamba.evaluation.summary import MetricSummary, StructureSummary
from uumamba.measures import MEASURES

_SHORT = ".1f"
_NAMES_SHOWN = 5
_SHOWN = ("dice", "nsd", "hd95_mm", "assd_mm")
_SHOWN_OF_VESSELS = ("cldice", "centreline_overlap", "betti0_error")


def tables(evaluation: Evaluation) -> list[Table]:
    """Every table that there is something for: scores, vessels, intervals, groups, clinical measures, confidence."""
    found = [summary_table(evaluation)]
    if evaluation.labels.tubular:
        found.append(vessel_table(evaluation))
    found.append(interval_table(evaluation))
    if evaluation.groups:
        found.append(group_table(evaluation))
    if evaluation.clinical:
        found.append(clinical_summary_table(evaluation))
    if evaluation.confidence:
        found.append(confidence_table(evaluation))
    return found


def summary_table(evaluation: Evaluation) -> Table:
    """One row per structure and one over all: mean and standard deviation of overlap and distances over `n` cases.

    With failed cases, the mean that counts them as total misses stands below each mean.
    """
    failed = bool(evaluation.failures)
    table = _table(
        "Mean ± sd over cases" + ("; below, failed cases as total misses" if failed else ""),
        ("structure",),
        ("n", *(QUANTITIES[name].title for name in _SHOWN)),
    )
    for each in evaluation.summary.structures:
        cells = [_mean_cell(name, each.metrics[name], failed) for name in _SHOWN]
        table.add_row(each.structure, str(each.metrics["dice"].n), *cells)
    table.add_section()
    overall = []
    for name in _SHOWN:
        mean = evaluation.summary.overall[name]
        overall.append(_with_failures(name, number_text(mean.mean, _form(name)), mean.mean_with_failures, failed))
    table.add_row("mean", "", *overall)
    return table


def vessel_table(evaluation: Evaluation) -> Table:
    """One row per tubular structure: mean and standard deviation of what is computed for thin vessels alone."""
    failed = bool(evaluation.failures)
    table = _table(
        "Vessels, mean ± sd over cases", ("structure",), ("n", *(QUANTITIES[name].title for name in _SHOWN_OF_VESSELS))
    )
    for each in evaluation.summary.structures:
        if each.structure in evaluation.labels.tubular:
            cells = [_mean_cell(name, each.metrics[name], failed) for name in _SHOWN_OF_VESSELS]
            table.add_row(each.structure, str(each.metrics["cldice"].n), *cells)
    return table


def interval_table(evaluation: Evaluation) -> Table:
    """One row per structure: 95 % intervals of mean Dice and HD95 over patients, and the volume error."""
    table = _table(
        "95 % interval of the mean over patients; volume error, mean ± sd over cases",
        ("structure",),
        ("patients", "Dice", "HD95, mm", "volume, ml", "volume, %"),
    )
    for each in evaluation.summary.structures:
        table.add_row(
            each.structure,
            str(each.metrics["dice"].patients),
            *(_interval_cell(name, each.metrics[name]) for name in ("dice", "hd95_mm")),
            *(_spread_cell(name, each.metrics[name]) for name in ("volume_error_ml", "volume_error_percent")),
        )
    return table


def group_table(evaluation: Evaluation) -> Table:
    """One row per group and structure: Dice with its interval, HD95 and the volume error."""
    table = _table(
        "By group: mean ± sd over cases, 95 % interval over patients",
        ("group", "structure"),
        ("n", "Dice", "95 % interval", "HD95, mm", "volume, ml"),
    )
    before = ""
    for each in evaluation.groups:
        name = f"{each.column} {each.group}"
        if before and name != before:
            table.add_section()
        metrics = each.summary.metrics
        table.add_row(
            name if name != before else "",
            each.summary.structure,
            str(metrics["dice"].n),
            _spread_cell("dice", metrics["dice"]),
            _interval_cell("dice", metrics["dice"]),
            number_text(metrics["hd95_mm"].mean, _form("hd95_mm")),
            _spread_cell("volume_error_ml", metrics["volume_error_ml"]),
        )
        before = name
    return table


def clinical_summary_table(evaluation: Evaluation) -> Table:
    """One row per clinical measure: how many patients, correlation, bias, sd of differences, limits of agreement.

    A measure that no patient has on both sides is left to the remarks.
    """
    table = _table(
        "Prediction - reference, per patient",
        ("measure",),
        ("n", "r", "bias", "sd", "95 % limits", "mean abs. error"),
    )
    for each in evaluation.agreements:
        found = each.agreement
        if found.n:
            table.add_row(
                MEASURES[each.measure].title,
                str(found.n),
                number_text(found.pearson, ".3f"),
                number_text(found.bias, _SHORT),
                number_text(found.sd, _SHORT),
                range_text(found.lower, found.upper, _SHORT),
                number_text(found.mean_absolute_error, _SHORT),
            )
    return table


def confidence_table(evaluation: Evaluation) -> Table:
    """One row per structure: expected and true Dice, their distance, and whether the one orders by the other."""
    table = _table(
        "The Dice that the model expected against the Dice that it has",
        ("structure",),
        ("n", "expected", "true", "mean abs. error", "Spearman", f"below {FAILURE_DICE}", "AUROC"),
    )
    for each in evaluation.confidence:
        table.add_row(
            each.structure,
            str(each.n),
            number_text(each.mean_confidence, ".3f"),
            number_text(each.mean_dice, ".3f"),
            number_text(each.mean_absolute_error, ".3f"),
            number_text(each.spearman, ".2f"),
            str(each.failures),
            number_text(each.auroc, ".2f"),
        )
    return table


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader of the tables must know, a line each: failures by name, misses, and what is in no number."""
    lines = [f"{case} failed: {reason}" for case, reason in list(evaluation.failures.items())[:_NAMES_SHOWN]]
    if len(evaluation.failures) > _NAMES_SHOWN:
        lines.append(f"... {count_text(len(evaluation.failures), 'case')} failed in all; every one is in {DOCUMENT}")
    lines += [line for each in evaluation.summary.structures if (line := _outcomes(each))]
    if evaluation.extra:
        names = _some([path.name for path in evaluation.extra])
        lines.append(
            f"not scored, as there is no reference: {count_text(len(evaluation.extra), 'prediction')} ({names})"
        )
    for side, only in (
        ("predictions", evaluation.labels.only_in_predictions),
        ("references", evaluation.labels.only_in_references),
    ):
        if only:
            lines.append(f"not compared, as the {side} alone have it: {', '.join(only)}")
    return [*lines, *_unmeasured(evaluation), *_about_groups(evaluation)]


def _outcomes(each: StructureSummary) -> str:
    """A structure's misses and the like, where there are any; they are in the means as the policy says."""
    counted = {"missed": each.missed, "absent": each.absent, "not labelled": each.not_labelled}
    parts = [f"{name} in {count_text(number, 'case')}" for name, number in counted.items() if number]
    if each.false_positives:
        parts.insert(0, count_text(each.false_positives, "false positive"))
    return f"{each.structure}: {', '.join(parts)}" if parts else ""


def _unmeasured(evaluation: Evaluation) -> list[str]:
    nobody = [
        MEASURES[each.measure].title for each in evaluation.agreements if each.unmeasured and not each.agreement.n
    ]
    lines = [f"in no patient on both sides: {'; '.join(nobody)}; clinical.csv has the reasons"] if nobody else []
    return lines + [
        f"{MEASURES[each.measure].title} without {_some(list(each.unmeasured))}"
        for each in evaluation.agreements
        if each.unmeasured and each.agreement.n
    ]


def _about_groups(evaluation: Evaluation) -> list[str]:
    lines = [f"column {name} has too many values to make groups" for name in evaluation.columns_without_groups]
    unknown = [pair.name for pair in evaluation.pairs if pair.name not in evaluation.patients]
    if unknown:
        lines.append(
            f"the patient of {count_text(len(unknown), 'case')} is not known, so each counts as a patient of its own "
            "and the intervals may be too narrow; --groups can name them"
        )
    return lines


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")


def _table(title: str, left: Iterable[str], right: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in left:
        table.add_column(header)
    for header in right:
        table.add_column(header, justify="right")
    return table


def _mean_cell(name: str, summary: MetricSummary, failed: bool) -> str:
    return _with_failures(name, _spread_cell(name, summary), summary.mean_with_failures, failed)


def _with_failures(name: str, cell: str, mean: float | None, failed: bool) -> str:
    return f"{cell}\n{number_text(mean, _form(name))}" if failed else cell


def _spread_cell(name: str, summary: MetricSummary) -> str:
    return spread_text(summary.mean, summary.sd, _form(name))


def _interval_cell(name: str, summary: MetricSummary) -> str:
    return range_text(summary.interval.low, summary.interval.high, _form(name))


def _form(name: str) -> str:
    return QUANTITIES[name].form
