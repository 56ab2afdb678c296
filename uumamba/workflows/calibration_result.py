"""What whole validation cases say of a network's probabilities: the temperature, figures, files and pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from uumamba.core.console import make_console
from uumamba.core.files import write_json
from uumamba.core.labels import LabelSet
from uumamba.evaluation.confidence import (
    FAILURE_DICE,
    ConfidenceRow,
    ConfidenceSummary,
    summarise_confidence,
)
from uumamba.evaluation.number_text import number_text
from uumamba.inference.postprocessing_choice import Choice
from uumamba.inference.temperature import REGION, Fit, Judged, Samples, calibrate, expected_dice_of
from uumamba.metrics.calibration import Reliability
from uumamba.reporting.confidence import confidence_figure
from uumamba.reporting.reliability import reliability_figure
from uumamba.reporting.style import save_figure
from uumamba.training.validation import CaseValidation

FORMAT_VERSION = 2
EVERYWHERE = "all voxels"
NOTICE = "research use only"


@dataclass(frozen=True)
class CalibrationResult:
    """The fitted temperature, expected against true Dice of each case and structure, and how many voxels were drawn.

    `patients` is the number of patients, where known; `voxels` maps a region to the voxels drawn and those there are.
    """

    fit: Fit
    rows: tuple[ConfidenceRow, ...]
    confidence: tuple[ConfidenceSummary, ...]
    patients: int
    voxels: Mapping[str, Mapping[str, int]]

    @property
    def sentence(self) -> str:
        """For the log."""
        calibration = self.fit.calibration
        limit = ", the limit of the search" if self.fit.is_at_limit else ""
        crossed = number_text(calibration.ece_cross_fitted, ".4f")
        return (
            f"temperature {calibration.temperature:.3f}{limit}: expected calibration error {REGION} "
            f"{calibration.ece_before:.4f} before, {calibration.ece_after:.4f} after, {crossed} cross-fitted"
        )


def conclude(
    validated: Mapping[str, CaseValidation], labels: LabelSet, patients: Mapping[str, str]
) -> CalibrationResult:
    """Fit and judge the temperature on cases whose voxels were drawn; the errors are those of `calibrate`."""
    samples = {case: found.sample for case, found in validated.items() if found.sample is not None}
    fit = calibrate(samples, patients)
    rows = tuple(
        ConfidenceRow(case, name, expected_dice_of(sample, output, fit.temperature), validated[case].dice[name])
        for case, sample in samples.items()
        for name, output in labels.output_of.items()
    )
    owners = {patients.get(case, case) for case in samples}
    return CalibrationResult(fit, rows, summarise_confidence(rows), len(owners), _voxels(samples, fit))


def write_calibration(
    result: CalibrationResult, choice: Choice, folder: Path, *, title: str, origin: Mapping[str, Any]
) -> None:
    """Write `calibration.json`, which begins with `origin`, and draw `reliability.png` and `confidence.png`."""
    fit = result.fit
    described = _describe(result) | {"postprocessing": choice.model_dump(mode="json")}
    write_json(folder / "calibration.json", {"format_version": FORMAT_VERSION, **origin, **described, "notice": NOTICE})
    figure = reliability_figure(
        fit.before.near, fit.after.near, temperature=fit.temperature, title=title, region=REGION
    )
    save_figure(figure, folder / "reliability.png")
    if any(row.pair is not None for row in result.rows):
        structures = tuple(dict.fromkeys(row.structure for row in result.rows))
        save_figure(confidence_figure(result.rows, structures, title=title), folder / "confidence.png")


def show(result: CalibrationResult, choice: Choice) -> None:
    """Print the tables and what is remarkable."""
    console = make_console()
    console.print(_reliability_table(result))
    console.print(_confidence_table(result))
    if result.fit.is_at_limit:
        console.print(
            f"The temperature {result.fit.temperature:.3g} is the limit of the search: do not rely on it.", markup=False
        )
    console.print("Post-processing:")
    for sentence in choice.postprocessing.sentences():
        console.print(f"  {sentence}", markup=False)
    console.print("Research use only.")


def _voxels(samples: Samples, fit: Fit) -> dict[str, dict[str, int]]:
    near = sum(int(sample.near.sum()) for sample in samples.values())
    everywhere = sum(len(sample.near) for sample in samples.values())
    return {
        REGION: {"drawn": near, "of": round(fit.before.near.count)},
        EVERYWHERE: {"drawn": everywhere, "of": round(fit.before.everywhere.count)},
    }


def _describe(result: CalibrationResult) -> dict[str, Any]:
    fit = result.fit
    crossed = None
    if fit.crossed is not None:
        crossed = {"temperatures": fit.crossed.temperatures, "regions": _regions(fit.crossed.judged)}
    return {
        "temperature": fit.temperature,
        "temperature_at_limit": fit.is_at_limit,
        "fitted_on": REGION,
        "cases": fit.cases,
        "patients": result.patients,
        "voxels": result.voxels,
        "before": _regions(fit.before),
        "after": _regions(fit.after),
        "cross_fitted": crossed,
        "cross_fitted_reason": None if crossed else "needs two patients with voxels near structures",
        "confidence": {
            "failure_dice": FAILURE_DICE,
            "summaries": [asdict(summary) for summary in result.confidence],
            "cases": [asdict(row) for row in result.rows],
        },
    }


def _regions(judged: Judged) -> dict[str, dict[str, Any]]:
    return {REGION: _numbers(judged.near), EVERYWHERE: _numbers(judged.everywhere)}


def _numbers(found: Reliability) -> dict[str, Any]:
    bins = zip(found.voxels.tolist(), found.confidences.tolist(), found.correct.tolist(), strict=True)
    return {
        "ece": found.ece,
        "nll": found.mean_nll,
        "brier": found.mean_brier,
        "accuracy": found.accuracy,
        "confidence": found.confidence,
        "bins": [
            {
                "voxels": voxels,
                "confidence": confidence / voxels if voxels else None,
                "accuracy": correct / voxels if voxels else None,
            }
            for voxels, confidence, correct in bins
        ],
    }


def _reliability_table(result: CalibrationResult) -> Table:
    fit = result.fit
    cases = f"{len(fit.cases)} cases of {result.patients} patients"
    table = Table("", "voxels", title=f"Probabilities on {cases}, temperature {fit.temperature:.3f}")
    for name in ("ECE", "NLL", "Brier score", "accuracy", "confidence"):
        table.add_column(name, justify="right")
    judged = {"before": fit.before, "after": fit.after}
    if fit.crossed is not None:
        judged["cross-fitted"] = fit.crossed.judged
    for region in ("near", "everywhere"):
        for when, both in judged.items():
            found: Reliability = getattr(both, region)
            numbers = (found.ece, found.mean_nll, found.mean_brier, found.accuracy, found.confidence)
            place = REGION if region == "near" else EVERYWHERE
            table.add_row(when, place, *(number_text(number, ".4f") for number in numbers))
    return table


def _confidence_table(result: CalibrationResult) -> Table:
    table = Table("structure", title="Expected Dice, from the probabilities, against the true one")
    for name in ("cases", "no mask", f"Dice < {FAILURE_DICE:g}", "mean expected", "mean true", "Spearman", "AUROC"):
        table.add_column(name, justify="right")
    for summary in result.confidence:
        counts = (str(number) for number in (summary.n, summary.without_mask, summary.failures))
        means = (number_text(mean, ".3f") for mean in (summary.mean_confidence, summary.mean_dice))
        rankings = (
            _text(summary.spearman, summary.spearman_reason),
            _text(summary.auroc, summary.auroc_reason),
        )
        table.add_row(summary.structure, *counts, *means, *rankings)
    return table


def _text(value: float | None, reason: str | None) -> str:
    return f"none ({reason})" if value is None else f"{value:.3f}"
