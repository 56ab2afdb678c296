"""Whether the Dice that the model expected is the Dice that it has, as a table."""

from uumamba.reporting.html.cells import number_cell
from uumamba.reporting.html.evaluation_file import Confidence, ConfidenceRow
from uumamba.reporting.html.page import Cell, Column, Row, Table

_TITLES = ("n", "expected Dice", "true Dice", "bias", "mean abs. error", "rank correlation", "failures", "AUROC")


def confidence_table(confidence: Confidence) -> Table:
    """A row per structure: both means, how far they are apart, and whether a low confidence tells a failure."""
    columns = (Column("structure"), *(Column(title, numeric=True) for title in _TITLES))
    limit = "" if confidence.failed_below is None else f" (Dice below {confidence.failed_below:g})"
    caption = f"Expected minus true Dice, and how well a low confidence tells a failure{limit}."
    return Table(caption, columns, tuple(_row(each) for each in confidence.structures))


def _row(each: ConfidenceRow) -> Row:
    return Row(
        (
            Cell(each.structure),
            Cell(str(each.n), each.n),
            number_cell(each.mean_confidence, ".3f"),
            number_cell(each.mean_dice, ".3f"),
            number_cell(each.bias, "+.3f"),
            number_cell(each.mean_absolute_error, ".3f"),
            number_cell(each.spearman, ".3f", detail=each.spearman_reason or ""),
            Cell(str(each.failures), each.failures, mark="warn" if each.failures else ""),
            number_cell(each.auroc, ".3f", detail=each.auroc_reason or ""),
        )
    )
