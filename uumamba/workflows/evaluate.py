"""uumamba evaluate: label maps against references, as tables and pictures."""

from collections.abc import Collection, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from uumamba.core.console import make_console
from uumamba.core.errors import InputError, SomeCasesFailed
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.core.statistics import mean_of_known
from uumamba.data.case import Case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.table import find_dataset
from uumamba.evaluation.evaluate import Evaluation, evaluate_folders
from uumamba.evaluation.label_file import read_label_set
from uumamba.evaluation.screen import clinical_summary_table, remarks, summary_table
from uumamba.evaluation.writing import write_evaluation
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.orientation import reorient, to_canonical
from uumamba.measures import MEASURES
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM
from uumamba.reporting.agreement import agreement_figure, dice_figure
from uumamba.reporting.overlay import overlay_figure
from uumamba.reporting.style import save_figure
from uumamba.workflows.report import report


def evaluate(
    predictions: Path,
    references: Path,
    output: Path,
    *,
    dataset_name: str | None,
    label_file: Path | None,
    only: Collection[str] | None = None,
) -> Evaluation:
    """Score predictions, print the tables, and write tables and pictures into `output`.

    The structures come from the data set or from `label_file`, exactly one of them; `only` limits the evaluation to
    these cases. A reference without a prediction is a failed case: all is written, then `SomeCasesFailed` is raised.
    """
    if (dataset_name is None) == (label_file is None):
        raise InputError("evaluate needs the structures' names: give either --dataset or --labels")
    dataset = None if dataset_name is None else find_dataset(dataset_name)
    labels = dataset.labels if dataset else read_label_set(label_file or Path())
    cases = _cases_of(dataset, references) if dataset else ()
    tolerance = dataset.surface_tolerance_mm if dataset else DEFAULT_TOLERANCE_MM
    evaluation = evaluate_folders(predictions, references, labels, cases=cases, only=only, nsd_tolerance_mm=tolerance)
    tables = write_evaluation(evaluation, output)
    show(evaluation)
    pictures = _draw(evaluation, labels, output) + _draw_cases(evaluation, cases, labels, output)
    log.info("%d tables and %d pictures in %s", len(tables), len(pictures), output)
    report(output)
    if evaluation.failures:
        name, reason = next(iter(evaluation.failures.items()))
        failed, total = len(evaluation.failures), len(evaluation.pairs)
        raise SomeCasesFailed(f"{failed} of {total} cases failed, the first is {name}: {reason}; see {tables[0]}")
    return evaluation


def show(evaluation: Evaluation) -> None:
    """Print an evaluation's tables and remarks."""
    console = make_console()
    console.print(summary_table(evaluation))
    if evaluation.clinical:
        console.print(clinical_summary_table(evaluation))
    for remark in remarks(evaluation):
        console.print(remark, markup=False)
    console.print("Research use only.")


def _cases_of(dataset: Dataset, references: Path) -> tuple[Case, ...]:
    """The data set's cases if `references` is its folder; a plain folder of label maps has none."""
    cases = dataset.index_all(references)
    if not cases:
        log.info("%s: not laid out as %s, so there are no clinical measures and no overlays", references, dataset.name)
    return cases


def _draw(evaluation: Evaluation, labels: LabelSet, output: Path) -> list[Path]:
    dice = {
        name: [score.metrics["dice"] for score in evaluation.scores if score.structure == name]
        for name in labels.structures
    }
    pictures = [output / "dice.png"]
    save_figure(dice_figure(dice), pictures[0])
    pairs = {
        MEASURES[measure].title: ([row.prediction.value for row in rows], [row.reference.value for row in rows])
        for measure in MEASURES
        if (rows := [row for row in evaluation.clinical if row.measure == measure])
    }
    if pairs:
        pictures.append(output / "agreement.png")
        save_figure(agreement_figure(pairs), pictures[1])
    return pictures


def _draw_cases(evaluation: Evaluation, cases: Sequence[Case], labels: LabelSet, output: Path) -> list[Path]:
    """Overlays of the worst two, the middle and the best case by mean Dice, where the images are known."""
    mean_dice: dict[str, float] = {}
    for name in dict.fromkeys(score.case for score in evaluation.scores):
        mean = mean_of_known(score.metrics["dice"] for score in evaluation.scores if score.case == name)
        if mean is not None:
            mean_dice[name] = mean
    ranked = sorted(mean_dice, key=mean_dice.__getitem__)
    images = {case.name: case.images[0] for case in cases}
    files = {pair.name: (pair.prediction, pair.reference) for pair in evaluation.pairs if pair.prediction is not None}
    places = {"worst": 0, "second_worst": 1, "middle": len(ranked) // 2, "best": len(ranked) - 1}
    pictures = []
    for rank, place in places.items():
        if not 0 <= place < len(ranked) or ranked[place] not in images:
            continue
        name = ranked[place]
        title = f"{name} ({rank.replace('_', ' ')} of {len(ranked)}), mean Dice {mean_dice[name]:.3f}"
        pictures.append(output / f"overlay_{rank}.png")
        save_figure(_overlay(images[name], *files[name], labels, title), pictures[-1])
    return pictures


def _overlay(image_path: Path, prediction: Path, reference: Path, labels: LabelSet, title: str) -> Figure:
    image, orientation = to_canonical(read_image(image_path))
    predicted, true = (reorient(read_label_map(path), orientation).data for path in (prediction, reference))
    return overlay_figure(
        image.data, predicted, spacing_mm=image.spacing_mm, labels=labels, reference=true, title=title
    )
