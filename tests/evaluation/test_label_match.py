"""Names and numbers of two sides: what is compared, and how it is painted."""

import numpy as np

from uumamba.core.labels import LabelSet, mask_of
from uumamba.evaluation.label_match import LabelMatch, same_labels

MATCH = LabelMatch({"RV": (1,), "MYO": (2,), "LV": (3,), "wall": (2, 3)}, {"wall": (4, 5), "aorta": (9,), "LV": (4,)})


def test_names_on_both_sides_are_compared_in_the_predictions_order() -> None:
    assert MATCH.structures == ("LV", "wall")
    assert MATCH.only_in_predictions == ("RV", "MYO")
    assert MATCH.only_in_references == ("aorta",)
    assert MATCH.label_set == LabelSet(names=("background", "LV", "wall"))


def test_one_label_set_for_both_sides() -> None:
    labels = LabelSet(names=("background", "RV", "LV"), ignore=3)
    match = same_labels(labels, optional=["RV"])
    assert match.predictions == match.references == {"RV": (1,), "LV": (2,)}
    assert (match.ignore, match.optional, match.only_in_predictions) == (3, frozenset({"RV"}), ())
    assert match.label_set.structures == labels.structures


def test_masks_and_paint() -> None:
    label_map = np.array([[[0, 4, 5, 9]]], dtype=np.int16)
    assert mask_of(label_map, (4,)).tolist() == [[[False, True, False, False]]]
    assert mask_of(label_map, (4, 5)).tolist() == [[[False, True, True, False]]]
    assert MATCH.paint(label_map, MATCH.references).tolist() == [[[0, 2, 2, 0]]]
    other = LabelMatch({"wall": (1,), "LV": (2,)}, {"wall": (4, 5), "LV": (5,)})
    assert other.paint(label_map, other.references).tolist() == [[[0, 1, 2, 0]]]
