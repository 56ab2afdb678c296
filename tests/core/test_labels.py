import pytest
from pydantic import ValidationError

from uumamba.core.labels import LabelSet


def test_structures_leave_out_the_background() -> None:
    labels = LabelSet(names=("background", "RV", "MYO"))
    assert labels.classes == 3
    assert labels.structures == {"RV": 1, "MYO": 2}


@pytest.mark.parametrize("names", [("background",), ("RV", "background"), ("background", "RV", "RV")])
def test_names_are_distinct_and_begin_with_the_background(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="must be distinct, begin with 'background'"):
        LabelSet(names=names)


def test_the_ignore_label_lies_behind_the_structures() -> None:
    assert LabelSet(names=("background", "RV"), ignore=2).ignore == 2
    with pytest.raises(ValidationError, match="must lie behind the last structure 1"):
        LabelSet(names=("background", "RV"), ignore=1)
