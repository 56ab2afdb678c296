"""The pictures of an evaluation: scores, agreement of clinical measures, and the worst, middle and best case."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from uumamba.core.statistics import mean_of_known
from uumamba.data.case_reading import read_image_frame, read_label_frame
from uumamba.evaluation.confidence_reading import confidence_rows
from uumamba.evaluation.document import Picture
from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.pairing import CasePair
from uumamba.imaging.orientation import reorient, to_canonical
from uumamba.measures import MEASURES
from uumamba.reporting.agreement import bland_altman_figure, correlation_figure
from uumamba.reporting.confidence import confidence_figure
from uumamba.reporting.overlay import overlay_figure
from uumamba.reporting.scores import dice_figure
from uumamba.reporting.style import save_figure


def draw_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Picture, ...]:
    """Draw what there is something for, and say what was drawn."""
    return (*_draw_scores(evaluation, folder), *_draw_agreement(evaluation, folder), *_draw_cases(evaluation, folder))


def _draw_scores(evaluation: Evaluation, folder: Path) -> Iterator[Picture]:
    by_structure = {
        name: [score for score in evaluation.scores if score.structure == name] for name in evaluation.labels.structures
    }
    dice = {name: [score.metrics["dice"] for score in scores] for name, scores in by_structure.items()}
    yield _save(dice_figure(dice), folder, "dice")
    if evaluation.confidence:
        rows = confidence_rows(evaluation.scores, evaluation.confidences)
        yield _save(confidence_figure(rows, evaluation.labels.structures), folder, "confidence")


def _draw_agreement(evaluation: Evaluation, folder: Path) -> Iterator[Picture]:
    measured = [each.measure for each in evaluation.agreements if each.agreement.n]
    rows = {measure: [row for row in evaluation.clinical if row.measure == measure] for measure in measured}
    pairs = {
        MEASURES[measure].title: ([row.prediction.value for row in of_it], [row.reference.value for row in of_it])
        for measure, of_it in rows.items()
    }
    if pairs:
        yield _save(correlation_figure(pairs), folder, "correlation")
        yield _save(bland_altman_figure(pairs), folder, "bland_altman")


def _draw_cases(evaluation: Evaluation, folder: Path) -> Iterator[Picture]:
    """Overlays of the worst two, the middle and the best case by mean Dice, where the images are known."""
    mean_dice: dict[str, float] = {}
    for name in dict.fromkeys(score.case for score in evaluation.scores):
        mean = mean_of_known(score.metrics["dice"] for score in evaluation.scores if score.case == name)
        if mean is not None:
            mean_dice[name] = mean
    ranked = sorted(mean_dice, key=mean_dice.__getitem__)
    pairs = {pair.name: pair for pair in evaluation.pairs}
    places = {"worst": 0, "second_worst": 1, "middle": len(ranked) // 2, "best": len(ranked) - 1}
    for rank, place in places.items():
        if 0 <= place < len(ranked) and (image := pairs[ranked[place]].image) is not None:
            name = ranked[place]
            title = f"{name} ({rank.replace('_', ' ')} of {len(ranked)}), mean Dice {mean_dice[name]:.3f}"
            figure = _overlay(evaluation, image, pairs[name], title)
            yield _save(figure, folder, f"overlay_{rank}", kind="overlay", case=name, rank=rank)


def _overlay(evaluation: Evaluation, image_path: Path, pair: CasePair, title: str) -> Figure:
    image, orientation = to_canonical(read_image_frame(image_path, pair.frame))
    labels = evaluation.labels
    sides = ((pair.prediction or Path(), labels.predictions), (pair.reference, labels.references))
    predicted, true = (
        labels.paint(reorient(read_label_frame(path, pair.frame), orientation).data, numbers) for path, numbers in sides
    )
    return overlay_figure(
        image.data, predicted, spacing_mm=image.spacing_mm, labels=labels.label_set, reference=true, title=title
    )


def _save(
    figure: Figure,
    folder: Path,
    name: str,
    *,
    kind: str | None = None,
    case: str | None = None,
    rank: str | None = None,
) -> Picture:
    picture = Picture(folder / f"{name}.png", kind or name, case, rank)
    save_figure(figure, picture.path)
    return picture
