from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet, mask_of

REGIONS = LabelSet(names=("background", "heart", "left", "LV"), regions=((1, 2, 3), (2, 3), (3,)), written=(1, 2, 3))


def test_structures_leave_out_the_background() -> None:
    labels = LabelSet(names=("background", "RV", "MYO"))
    assert labels.classes == labels.outputs == 3
    assert labels.structures == labels.output_of == {"RV": 1, "MYO": 2}
    assert labels.members == {"RV": (1,), "MYO": (2,)}
    assert labels.in_words == "1 RV, 2 MYO"
    assert labels.painted == labels


def test_regions_are_several_numbers_each_and_have_an_output_each() -> None:
    assert (REGIONS.classes, REGIONS.outputs) == (4, 3)
    assert REGIONS.members == {"heart": (1, 2, 3), "left": (2, 3), "LV": (3,)}
    assert REGIONS.output_of == {"heart": 0, "left": 1, "LV": 2}
    assert REGIONS.in_words == "1+2+3 heart, 2+3 left, 3 LV"
    with pytest.raises(InputError, match=r"have regions \(1\+2\+3 heart, .*give labels without regions"):
        _ = REGIONS.structures


def test_regions_are_painted_with_the_later_on_top() -> None:
    label_map = np.array([[-1, 0, 1], [2, 3, 7]], np.int16)
    assert REGIONS.paint(label_map).tolist() == [[0, 0, 1], [2, 3, 0]]
    swapped = LabelSet(names=("background", "all", "odd"), regions=((1, 2, 3), (1, 3)), written=(2, 1))
    assert swapped.paint(label_map).tolist() == [[0, 0, 2], [1, 2, 0]]
    assert swapped.painted == LabelSet(names=swapped.names)
    assert mask_of(label_map, (1, 3)).tolist() == [[False, False, True], [False, True, False]]


def test_labels_without_regions_are_kept_as_ever_and_those_with_come_back() -> None:
    """Hashes of plans, and so the stored cases, stay what they were."""
    plain = LabelSet(names=("background", "RV"), ignore=2)
    assert plain.model_dump(mode="json") == {"names": ["background", "RV"], "ignore": 2}
    for labels in (plain, REGIONS):
        assert LabelSet.model_validate_json(labels.model_dump_json()) == labels


@pytest.mark.parametrize("names", [("background",), ("RV", "background"), ("background", "RV", "RV")])
def test_names_are_distinct_and_begin_with_the_background(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="must be distinct, begin with 'background'"):
        LabelSet(names=names)


def test_the_ignore_label_lies_behind_the_structures() -> None:
    assert LabelSet(names=("background", "RV"), ignore=2).ignore == 2
    with pytest.raises(ValidationError, match="must lie behind the last structure 1"):
        LabelSet(names=("background", "RV"), ignore=1)
    with pytest.raises(ValidationError, match="must lie behind the last structure 3"):
        LabelSet(**REGIONS.model_dump() | {"ignore": 3})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions": ((1, 2), (2,))}, "3 regions .* need as many lists of numbers and as many written numbers, got 2"),
        ({"written": (1, 2)}, "as many written numbers, got 3 and 2"),
        ({"regions": ((1, 2, 4), (2, 4), (4,)), "written": (1, 2, 4)}, r"must be 1, 2, \.\.\. without gap, got \[1, 2"),
        ({"regions": ((0, 1, 2, 3), (2, 3), (3,))}, r"without gap, got \[0, 1"),
        ({"regions": ((1, 2, 3), (2, 3), ())}, "without gap"),
        ({"regions": ((1,), (2,), (3,))}, "here each has one; give names alone"),
        ({"written": (1, 2, 1)}, r"region LV has the numbers \[3\] and must write one of them, not 1"),
        ({"regions": ((3,), (2, 3), (1, 2, 3)), "written": (3, 2, 1)}, r"left \[2, 3\] is written after heart \[3\] "),
        ({"regions": ((1, 2, 3), (2, 3), (2, 3))}, "would hide it all; name the larger region first"),
        ({"regions": None}, r"written \(1, 2, 3\) is for regions, and these labels have none; leave it out"),
    ],
)
def test_regions_that_no_label_map_can_hold(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LabelSet(**REGIONS.model_dump() | changes)
