"""uumamba evaluate: label maps against references, as tables, pictures and one document."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from uumamba.core.console import make_console
from uumamba.core.errors import InputError, SomeCasesFailed
from uumamba.core.log import log
from uumamba.data.case import Case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.table import DATASETS, find_dataset
from uumamba.data.work_folder import work_folder_of
from uumamba.evaluation.document import Origin, write_document
from uumamba.evaluation.evaluate import Evaluation, evaluate_folders
from uumamba.evaluation.label_file import read_label_match
from uumamba.evaluation.label_match import LabelMatch, same_labels
from uumamba.evaluation.number_text import count_text
from uumamba.evaluation.output_folder import begin, remove_stale, require_room
from uumamba.evaluation.screen import remarks, tables
from uumamba.evaluation.writing import write_tables
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM
from uumamba.workflows.evaluation_pictures import draw_evaluation
from uumamba.workflows.report import report


def evaluate(
    predictions: Path,
    references: Path,
    output: Path,
    *,
    dataset_name: str | None,
    label_file: Path | None,
    only: Collection[str] | None = None,
    groups: Path | None = None,
    work: Path | None = None,
) -> Evaluation:
    """Score predictions, print tables, and write them, pictures, `evaluation.json` and `report.html` into `output`.

    The structures come from the data set, from `label_file`, or the predictions' from the one and the references' from
    the other; `only` limits the evaluation to these cases; `groups` is a table of what else is known of them. A data
    set of one's own is known by its name to the folder `work` where it was preprocessed. Files of an earlier evaluation
    in `output` are replaced or removed, others are never touched. A reference without a prediction is a failed case:
    all is written, then `SomeCasesFailed` is raised.
    """
    dataset = None if dataset_name is None else _find_dataset(dataset_name, work)
    labels = _labels(dataset, label_file)
    require_room(output)
    evaluation = evaluate_folders(
        predictions,
        references,
        labels,
        cases=_cases_of(dataset, references) if dataset else (),
        only=only,
        groups=groups,
        nsd_tolerance_mm=dataset.description.surface_tolerance_mm if dataset else DEFAULT_TOLERANCE_MM,
    )
    begin(output)
    written = list(write_tables(evaluation, output))
    show(evaluation)
    pictures = draw_evaluation(evaluation, output)
    time = datetime.now(UTC).isoformat(timespec="seconds")
    origin = Origin(predictions, references, dataset_name, label_file, groups, time)
    written += [*(picture.path for picture in pictures), write_document(evaluation, output, origin, pictures)]
    if stale := remove_stale(output, written):
        log.info("removed %s of an earlier evaluation", ", ".join(path.name for path in stale))
    log.info("%s in %s", count_text(len(written), "file"), output)
    report(output)
    _raise_if_failed(evaluation, output)
    return evaluation


def show(evaluation: Evaluation) -> None:
    """Print an evaluation's tables and remarks."""
    console = make_console()
    for table in tables(evaluation):
        console.print(table)
    for remark in remarks(evaluation):
        console.print(remark, markup=False, highlight=False)
    console.print("Research use only.")


def _find_dataset(name: str, work: Path | None) -> Dataset:
    """The data set; of one of one's own that is called by its name alone, where its files lie is not known."""
    if work is not None and name not in DATASETS and ":" not in name:
        folder = work_folder_of(work, name)
        if folder.description.is_file():
            return Dataset(folder.read_description(), lambda _: Listing(()))
    return find_dataset(name)


def _labels(dataset: Dataset | None, label_file: Path | None) -> LabelMatch:
    if label_file is not None:
        tubular = dataset.description.tubular if dataset else ()
        return read_label_match(label_file, dataset.description.labels if dataset else None, tubular=tubular)
    if dataset is None:
        raise InputError("evaluate needs the structures' names: give --dataset, or --labels, or both")
    return same_labels(dataset.description.labels, tubular=dataset.description.tubular)


def _cases_of(dataset: Dataset, references: Path) -> tuple[Case, ...]:
    """The data set's cases if it knows where it lies or `references` is its folder; else none are known."""
    listing = dataset.index(dataset.root or references)
    if not listing.cases:
        log.info("%s: not laid out as %s, so patients and phases are not known", references, dataset.name)
        return ()
    listing.require_usable()
    return listing.cases


def _raise_if_failed(evaluation: Evaluation, output: Path) -> None:
    if evaluation.failures:
        name, reason = next(iter(evaluation.failures.items()))
        total = count_text(len(evaluation.pairs), "case")
        raise SomeCasesFailed(
            f"{len(evaluation.failures)} of {total} failed, the first is {name}: {reason}; see {output / 'scores.csv'}"
        )
