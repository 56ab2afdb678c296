"""Which names have a side."""

import pytest

from uumamba.data.datasets.sides import mirrored_axes_of, sided_pairs


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (("Left renal", "Right renal"), (("Left renal", "Right renal"),)),
        (
            ("Zone 10 R", "Zone 10 L", "Zone 11 R", "Zone 11 L"),
            (("Zone 10 R", "Zone 10 L"), ("Zone 11 R", "Zone 11 L")),
        ),
        (("kidney_left", "kidney_right"), (("kidney_left", "kidney_right"),)),
        (("RV", "MYO", "LV"), ()),
        (("Left subclavian", "Left common carotid", "Innominate"), ()),
        (("left ventricle", "right atrium"), ()),
        (("anterior", "posterior"), ()),
    ],
)
def test_pairs_differ_in_the_side_alone(names: tuple[str, ...], pairs: tuple[tuple[str, str], ...]) -> None:
    assert sided_pairs(names) == pairs
    assert mirrored_axes_of(names) == ((1, 2) if pairs else (0, 1, 2))
