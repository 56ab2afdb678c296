"""Predictions find their references by name, in the layouts that people have."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.evaluation.pairing import pair_predictions


def touch(folder: Path, *names: str) -> Path:
    """Make empty files below a folder; pairing reads names only."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("prediction", "references"),
    [
        ("case1.nii.gz", ["case1.nii.gz"]),
        ("case1.nii.gz", ["case1_gt.nii.gz", "case1.nii.gz", "case1_4d.nii.gz"]),
        ("case1.nii.gz", ["deep/er/case1_label.mha", "deep/er/case1.mha"]),
        ("case1_0000.nii.gz", ["case1.nii.gz"]),
        ("case1.img.nii.gz", ["1-200/case1.img.nii.gz", "1-200/case1.label.nii.gz"]),
        ("case1_CTA.mha", ["masks/case1_label.mha", "images/case1_CTA.mha"]),
        ("case1_gt.nii.gz", ["case1_gt.nii.gz"]),
        ("sub/case1.nii", ["case1_seg.nrrd"]),
        ("case1.nii", ["case1_labels.nii.gz", "case1.nii.gz", ".old/case1_gt.nii.gz"]),
        ("case1_cta.mha", ["case1_GT.nii.gz"]),
    ],
)
def test_layouts(tmp_path: Path, prediction: str, references: list[str]) -> None:
    predictions = touch(tmp_path / "predictions", prediction)
    pairing = pair_predictions(predictions, touch(tmp_path / "references", *references))
    (pair,) = pairing.pairs
    assert (pair.name, pair.prediction, pairing.extra) == ("case1", predictions / prediction, ())


def test_missing_and_extra_predictions_and_other_files(tmp_path: Path) -> None:
    predictions = touch(tmp_path / "p", "b.nii.gz", "c.nii.gz", "cases.csv", ".tmp-a.nii.gz")
    references = touch(tmp_path / "r", "a_gt.nii.gz", "b_gt.nii.gz", "Info.cfg")
    pairing = pair_predictions(predictions, references)
    assert [(pair.name, pair.prediction) for pair in pairing.pairs] == [("a", None), ("b", predictions / "b.nii.gz")]
    assert pairing.extra == (predictions / "c.nii.gz",)


def test_only_some_cases(tmp_path: Path) -> None:
    predictions = touch(tmp_path / "p", "a.nii.gz", "b.nii.gz")
    references = touch(tmp_path / "r", "a.nii.gz", "b.nii.gz", "c.nii.gz")
    pairing = pair_predictions(predictions, references, only={"c", "b"})
    assert [(pair.name, pair.prediction is None) for pair in pairing.pairs] == [("b", False), ("c", True)]
    assert pairing.extra == ()
    with pytest.raises(InputError, match=r"no reference for x; there is a, b, c"):
        pair_predictions(predictions, references, only=["x"])


def test_maps_of_a_prediction_are_no_predictions(tmp_path: Path) -> None:
    maps = ("a_entropy.nii.gz", "a_disagreement.nii.gz", "b_entropy.nii.gz")
    pairing = pair_predictions(touch(tmp_path / "p", "a.nii.gz", *maps), touch(tmp_path / "r", "a_gt.nii.gz"))
    assert pairing.extra == ()


def test_the_image_beside_a_marked_reference(tmp_path: Path) -> None:
    predictions = touch(tmp_path / "p", "a.nii.gz", "b.nii.gz", "c.nii.gz")
    references = touch(
        tmp_path / "r", "x/a_gt.nii.gz", "x/a.nii.gz", "y/b.label.nii.gz", "y/b.img.nii.gz", "c_gt.nii.gz", "y/c.nii.gz"
    )
    images = {pair.name: pair.image for pair in pair_predictions(predictions, references).pairs}
    assert images == {"a": references / "x/a.nii.gz", "b": references / "y/b.img.nii.gz", "c": None}
    (plain,) = pair_predictions(touch(tmp_path / "q", "a.nii.gz"), touch(tmp_path / "s", "a.nii.gz")).pairs
    assert plain.image is None


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (
            ["a.nii.gz"],
            ["a_gt.nii.gz", "other/a_gt.nii.gz"],
            "two references for case a: .*a_gt.nii.gz and .*; remove or",
        ),
        (["a.nii.gz"], ["a_gt.nii.gz", "a_seg.nii.gz"], "two references for case a"),
        (["a.nii.gz", "a_0000.nii.gz"], ["a.nii.gz"], "two predictions for case a"),
        (["a.nii.gz"], ["Info.cfg"], r"no image file in it \(.nii.gz, .nii, "),
        (["cases.csv"], ["a.nii.gz"], "predictions: no image file in it"),
        (
            ["x.nii.gz", "y.nii.gz"],
            ["a.nii", "b.nii", "c.nii", "d.nii"],
            r"nothing to compare: none of the 2 image files in .*predictions \(x.nii.gz, y.nii.gz\) is named after one "
            r"of the 4 image files in .*references \(a.nii, b.nii, c.nii, ...\); name a prediction X.nii.gz",
        ),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, predictions: list[str], references: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        pair_predictions(touch(tmp_path / "predictions", *predictions), touch(tmp_path / "references", *references))
    assert "\n" not in str(error.value)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        pair_predictions(tmp_path / "nowhere", tmp_path)
    with pytest.raises(InputError, match="nowhere: no such folder"):
        pair_predictions(touch(tmp_path / "predictions", "a.nii.gz"), tmp_path / "nowhere")


def test_frames_of_a_series_are_pairs_of_their_own(tmp_path: Path) -> None:
    predictions = touch(tmp_path / "p", "A_sa.nii.gz", "B_sa.nii.gz")
    references = touch(tmp_path / "r", "A/A_sa_gt.nii.gz", "A/A_sa.nii.gz", "B/B_sa_gt.nii.gz", "C/C_sa_gt.nii.gz")
    cases = [
        Case(f"{name}_sa_frame{frame + 1:02d}", name, (Path("image"),), references / name / f"{name}_sa_gt.nii.gz",
             frames=(frame,), label_frame=frame)
        for name, frame in (("A", 0), ("A", 7), ("C", 2))
    ]  # fmt: skip
    pairs = pair_predictions(predictions, references, cases=cases).pairs
    series = predictions / "A_sa.nii.gz"
    assert [(pair.name, pair.prediction, pair.frame) for pair in pairs] == [
        ("A_sa_frame01", series, 0),
        ("A_sa_frame08", series, 7),
        ("C_sa_frame03", None, 2),
    ]
    assert pairs[0].image == references / "A/A_sa.nii.gz"
    (only,) = pair_predictions(predictions, references, cases=cases, only=["A_sa_frame08"]).pairs
    assert only.frame == 7


def test_the_image_that_the_data_set_knows(tmp_path: Path) -> None:
    predictions, references = touch(tmp_path / "p", "a.nii.gz"), touch(tmp_path / "masks", "a_label.mha")
    image = tmp_path / "images" / "a_CTA.mha"
    case = Case("a", "a", (image,), references / "a_label.mha")
    (pair,) = pair_predictions(predictions, references, cases=[case]).pairs
    assert (pair.name, pair.image, pair.frame) == ("a", image, None)


def test_single_frames_that_lie_elsewhere_are_pairs_by_their_names(tmp_path: Path) -> None:
    predictions, references = touch(tmp_path / "p", "A_sa_frame01.nii.gz"), touch(tmp_path / "r", "A_sa_frame01.nii.gz")
    series = tmp_path / "data" / "A_sa_gt.nii.gz"
    case = Case("A_sa_frame01", "A", (Path("image"),), series, frames=(0,), label_frame=0)
    (pair,) = pair_predictions(predictions, references, cases=[case]).pairs
    assert (pair.name, pair.prediction, pair.frame) == ("A_sa_frame01", predictions / "A_sa_frame01.nii.gz", None)
