"""One case: every outcome of the policy, and what makes a case fail."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.evaluation.label_match import LabelMatch, same_labels
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import StructureScore, score_case, score_label_maps
from uumamba.evaluation.summary import summarise
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image
from uumamba.metrics import METRICS, metrics_for

LABELS = same_labels(LabelSet(names=("background", "RV", "MYO", "LV")))
SPACING_MM = (1.5, 1.5, 10.0)


def heart() -> NDArray[np.uint8]:
    """A small label map of three structures in an image of 20 x 20 x 4 voxels."""
    labels = np.zeros((20, 20, 4), dtype=np.uint8)
    labels[2:8, 4:16], labels[8:18, 4:16], labels[10:16, 7:13] = 1, 2, 3
    return labels


def save(path: Path, labels: NDArray[np.uint8], spacing_mm: tuple[float, float, float] = SPACING_MM) -> Path:
    write_label_map(path, labels, Image(data=labels, affine=np.diag([*spacing_mm, 1.0])))
    return path


def by_structure(scores: tuple[StructureScore, ...]) -> dict[str, StructureScore]:
    assert [score.structure for score in scores] == ["RV", "MYO", "LV"]
    return {score.structure: score for score in scores}


def test_identity_is_best_everywhere() -> None:
    for score in score_label_maps("case", heart(), heart(), SPACING_MM, LABELS):
        assert score.outcome == "found"
        assert score.metrics == {name: METRICS[name].best for name in metrics_for(tubular=False)}
        assert score.volume_error_ml == 0.0
        assert score.reason is None


def test_scores_are_the_metrics_of_each_structure_on_the_whole_image() -> None:
    prediction = np.roll(heart(), (1, 2, 0), axis=(0, 1, 2))
    for score in score_label_maps("case", prediction, heart(), SPACING_MM, LABELS):
        (number,) = LABELS.references[score.structure]
        for name in metrics_for(tubular=False):
            expected = METRICS[name].function(prediction == number, heart() == number, SPACING_MM)
            assert score.metrics[name] == pytest.approx(expected), name
        assert score.reference_ml == pytest.approx((heart() == number).sum() * 22.5 / 1000)


def test_missed_false_positive_and_absent() -> None:
    prediction, reference = heart(), heart()
    prediction[prediction == 3] = 0
    reference[reference == 2] = 0
    for each in (prediction, reference):
        each[each == 1] = 0
    scores = by_structure(score_label_maps("case", prediction, reference, SPACING_MM, LABELS))
    diagonal = float(np.linalg.norm([19 * 1.5, 19 * 1.5, 30]))
    total_miss = {"dice": 0.0, "hd_mm": diagonal, "hd95_mm": diagonal, "assd_mm": diagonal, "nsd": 0.0}
    assert scores["LV"].outcome == "missed"
    assert scores["LV"].metrics == pytest.approx(total_miss)
    assert scores["LV"].reason == "LV is not in the prediction: a total miss"
    assert (scores["LV"].prediction_ml, scores["LV"].volume_error_ml) == (0.0, pytest.approx(-3.24))
    assert scores["LV"].volume_error_percent == -100
    assert scores["MYO"].outcome == "false positive"
    assert scores["MYO"].volume_error_ml == scores["MYO"].prediction_ml
    assert scores["MYO"].volume_error_percent is None
    assert scores["MYO"].reason == "MYO is not in the reference: a total miss, and no % of its volume of 0"
    assert scores["MYO"].metrics == pytest.approx(total_miss)
    assert scores["RV"].outcome == "absent"
    assert set(scores["RV"].metrics.values()) == {None}
    assert scores["RV"].reason == "RV is in neither: nothing to compare"
    assert (scores["RV"].volume_error_ml, scores["RV"].volume_error_percent) == (None, None)
    assert scores["RV"].image_diagonal_mm == pytest.approx(diagonal)


def test_ignored_voxels_do_not_count() -> None:
    labels = same_labels(LabelSet(names=("background", "vessel"), ignore=2))
    reference = np.zeros((8, 8, 8), dtype=np.uint8)
    reference[2:6, 2:6, 2:6] = 1
    prediction = reference.copy()
    reference[6:], prediction[6:] = 2, 1
    (score,) = score_label_maps("case", prediction, reference, (1, 1, 1), labels)
    assert score.metrics["dice"] == 1.0
    assert score.prediction_ml == score.reference_ml == pytest.approx(0.064)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_a_2d_image(axis: int) -> None:
    reference, prediction = np.zeros((2, 30, 30), dtype=np.uint8)
    reference[5:25, 5:25] = prediction[5:25, 8:28] = 1
    maps = [np.expand_dims(each, axis) for each in (prediction, reference)]
    spacing = np.insert([1.0, 1.0], axis, 8.0).tolist()
    labels = same_labels(LabelSet(names=("background", "vessel")), tubular=["vessel"])
    (score,) = score_label_maps("case", *maps, spacing, labels)
    for name, metric in METRICS.items():
        assert score.metrics[name] == pytest.approx(metric.function(prediction == 1, reference == 1, (1.0, 1.0)))
    assert score.reference_ml == pytest.approx(400 * 8 / 1000)


def test_tolerance_per_structure() -> None:
    prediction = np.roll(heart(), 2, axis=0)
    tolerances = {"RV": 0.5, "MYO": 3.0, "LV": 100.0}
    scores = by_structure(
        score_label_maps("case", prediction, heart(), SPACING_MM, LABELS, nsd_tolerance_mm=tolerances)
    )
    assert scores["RV"].metrics["nsd"] != scores["MYO"].metrics["nsd"]
    assert scores["LV"].metrics["nsd"] == 1.0


def test_reads_files(tmp_path: Path) -> None:
    pair = CasePair("a", save(tmp_path / "a.nii.gz", heart()), save(tmp_path / "a_gt.nrrd", heart()))
    assert [score.metrics["dice"] for score in score_case(pair, LABELS)] == [1.0, 1.0, 1.0]


def test_every_way_to_fail_keeps_the_reference(tmp_path: Path) -> None:
    reference = save(tmp_path / "a_gt.nii.gz", heart())
    (tmp_path / "text.nii.gz").write_text("no image")
    wrong_labels = heart()
    wrong_labels[0, 0, 0] = 7
    ways = {
        "no prediction": None,
        "prediction: .*text.nii.gz": tmp_path / "text.nii.gz",
        "prediction: .*holds the labels 7; known are 0 background, 1 RV, 2 MYO, 3 LV; name the right ones with": save(
            tmp_path / "seven.nii.gz", wrong_labels
        ),
        "prediction: .*not on the grid of .*a_gt.nii.gz.*20 x 20 x 3": save(tmp_path / "cut.nii.gz", heart()[..., :3]),
        r"prediction: .*not on the grid.*1\.5": save(tmp_path / "fine.nii.gz", heart(), (1.0, 1.0, 1.0)),
    }
    for reason, prediction in ways.items():
        scores = score_case(CasePair("a", prediction, reference), LABELS)
        for score in scores:
            assert score.outcome == "failed"
            assert set(score.metrics.values()) == {None}
            assert score.prediction_ml is None
            assert score.volume_error_ml is None
            assert score.reference_ml
            assert score.image_diagonal_mm
            assert re.match(reason, str(score.reason)), score.reason


def test_an_unreadable_reference_fails_its_case(tmp_path: Path) -> None:
    (tmp_path / "a_gt.nii.gz").write_text("no image")
    scores = score_case(CasePair("a", save(tmp_path / "a.nii.gz", heart()), tmp_path / "a_gt.nii.gz"), LABELS)
    for score in scores:
        assert score.outcome == "failed"
        assert (score.reference_ml, score.image_diagonal_mm) == (None, None)
        assert str(score.reason).startswith("reference: ")


OTHER_ORDER = LabelMatch(
    predictions={"RV": (1,), "MYO": (2,), "LV": (3,)},
    references={"LV": (1,), "MYO": (2,), "papillary": (7,)},
    optional=frozenset({"MYO"}),
)


def other_order() -> NDArray[np.uint8]:
    """`heart` as a reference in the other order, which has no RV."""
    reference = np.zeros_like(heart())
    reference[heart() == 3], reference[heart() == 2] = 1, 2
    return reference


def test_each_side_has_its_own_numbers() -> None:
    scores = score_label_maps("case", heart(), other_order(), SPACING_MM, OTHER_ORDER)
    assert [(score.structure, score.outcome, score.metrics["dice"]) for score in scores] == [
        ("MYO", "found", 1.0),
        ("LV", "found", 1.0),
    ]


def test_what_is_optional_and_not_in_the_reference_is_not_labelled() -> None:
    reference = other_order()
    reference[reference == 2] = 0
    muscle, cavity = score_label_maps("case", heart(), reference, SPACING_MM, OTHER_ORDER)
    assert muscle.outcome == "not labelled"
    assert muscle.reason == "MYO is not labelled in this reference: nothing to compare"
    assert set(muscle.metrics.values()) == {None}
    assert (muscle.reference_ml, muscle.volume_error_ml, muscle.volume_error_percent) == (None, None, None)
    assert muscle.prediction_ml
    assert cavity.metrics["dice"] == 1.0
    prediction = heart()
    prediction[prediction == 2] = 0
    missed, _ = score_label_maps("case", prediction, other_order(), SPACING_MM, OTHER_ORDER)
    assert missed.outcome == "missed"


def test_several_numbers_make_one_structure_and_may_be_part_of_another() -> None:
    labels = LabelMatch({"wall": (2, 3), "LV": (3,)}, {"LV": (3,), "wall": (2, 3)})
    prediction = heart()
    prediction[prediction == 3] = 2
    whole, cavity = score_label_maps("case", prediction, heart(), SPACING_MM, labels)
    assert (whole.metrics["dice"], whole.volume_error_ml) == (1.0, 0.0)
    assert whole.reference_ml == pytest.approx(np.isin(heart(), (2, 3)).sum() * 22.5 / 1000)
    assert cavity.outcome == "missed"


def test_a_number_without_a_name_fails_on_its_own_side(tmp_path: Path) -> None:
    files = save(tmp_path / "a.nii.gz", heart()), save(tmp_path / "a_gt.nii.gz", other_order())
    assert {score.outcome for score in score_case(CasePair("a", *files), OTHER_ORDER)} == {"found"}
    (score, _) = score_case(CasePair("a", files[0], files[0]), OTHER_ORDER)
    assert str(score.reason).startswith("reference: ")
    assert "holds the labels 3; known are 0 background, 1 LV, 2 MYO, 7 papillary" in str(score.reason)


def test_a_failed_case_without_an_optional_structure_has_no_volume_of_it(tmp_path: Path) -> None:
    reference = other_order()
    reference[reference == 2] = 0
    pair = CasePair("a", None, save(tmp_path / "a_gt.nii.gz", reference))
    muscle, cavity = score_case(pair, OTHER_ORDER)
    assert (muscle.outcome, muscle.reference_ml) == ("failed", None)
    assert cavity.reference_ml


@given(
    st.permutations([1, 2, 3, 40, 500]),
    st.permutations([1, 2, 3, 40, 500]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_relabelling_both_sides_changes_nothing(predicted: list[int], true: list[int], seed: int) -> None:
    """Whatever the numbers, the same voxels under the same names have the same scores, in the order of the names."""
    generator = np.random.default_rng(seed)
    maps = [generator.integers(0, 4, (6, 5, 3)).astype(np.uint8) for _ in range(2)]
    plain = score_label_maps("case", *maps, SPACING_MM, LABELS)
    sides = [np.array([0, *numbers[:3]], dtype=np.int16) for numbers in (predicted, true)]
    names = {name: place for place, name in enumerate(LABELS.structures, 1)}
    labels = LabelMatch(
        {name: (int(sides[0][place]),) for name, place in names.items()},
        {name: (int(sides[1][place]),) for name, place in reversed(names.items())},
    )
    renamed = score_label_maps(
        "case", *(side[labels_of] for side, labels_of in zip(sides, maps, strict=True)), SPACING_MM, labels
    )
    assert renamed == plain


def test_the_sign_of_a_volume_error_is_that_of_prediction_minus_reference() -> None:
    more, less = heart(), heart()
    more[1, 4:16] = 1
    less[2, 4:16] = 0
    for prediction, sign in ((more, 1), (less, -1)):
        score = by_structure(score_label_maps("case", prediction, heart(), SPACING_MM, LABELS))["RV"]
        assert score.volume_error_ml == pytest.approx(sign * 12 * 4 * 22.5 / 1000)
        assert score.volume_error_percent == pytest.approx(sign * 100 / 6)
    forth = by_structure(score_label_maps("case", more, less, SPACING_MM, LABELS))["RV"]
    back = by_structure(score_label_maps("case", less, more, SPACING_MM, LABELS))["RV"]
    assert forth.volume_error_ml == pytest.approx(-(back.volume_error_ml or 0))


VESSELS = same_labels(
    LabelSet(names=("background", "heart", "LAD", "LCX", "RCA")), optional=["RCA"], tubular=["LAD", "LCX", "RCA"]
)


def vessels() -> NDArray[np.uint8]:
    """A heart and two vessels on it, the first broken in two, in an image of 30 x 24 x 24 voxels."""
    labels = np.zeros((30, 24, 24), dtype=np.uint8)
    labels[4:26, 4:20, 4:20] = 1
    labels[4:26, 20:22, 8:10], labels[14:16, 20:22, 8:10] = 2, 0
    labels[4:26, 20:23, 14:17] = 3
    return labels


def test_vessels_alone_have_metrics_for_vessels() -> None:
    prediction = vessels()
    prediction[14:16, 20:22, 8:10] = 2
    heart_score, first, second, third = score_label_maps("case", prediction, vessels(), (1, 1, 1), VESSELS)
    assert tuple(heart_score.metrics) == metrics_for(tubular=False)
    assert (heart_score.prediction_components, heart_score.reference_components) == (None, None)
    for score in (first, second, third):
        assert tuple(score.metrics) == tuple(METRICS)
    assert (first.prediction_components, first.reference_components) == (1, 2)
    assert first.metrics["betti0_error"] == 1.0
    assert 0.9 < (first.metrics["cldice"] or 0) < 1.0
    assert second.metrics == {name: metric.best for name, metric in METRICS.items()}
    assert third.outcome == "not labelled"
    assert set(third.metrics.values()) == {None}
    assert (third.prediction_components, third.reference_components) == (0, None)


def test_a_missed_and_an_invented_vessel() -> None:
    """A miss counts every component of the vessel that is there, on whichever side it is."""
    empty = np.where(vessels() == 2, 0, vessels()).astype(np.uint8)
    _, missed, _, _ = score_label_maps("case", empty, vessels(), (1, 1, 1), VESSELS)
    _, invented, _, _ = score_label_maps("case", vessels(), empty, (1, 1, 1), VESSELS)
    for score in (missed, invented):
        assert (score.metrics["cldice"], score.metrics["centreline_overlap"]) == (0.0, 0.0)
        assert score.metrics["betti0_error"] == 2.0
    assert (missed.outcome, invented.outcome) == ("missed", "false positive")
    _, absent, _, _ = score_label_maps("case", empty, empty, (1, 1, 1), VESSELS)
    assert absent.metrics["betti0_error"] is None


def test_a_failed_vessel_counts_as_a_miss_of_all_its_components(tmp_path: Path) -> None:
    pair = CasePair("a", None, save(tmp_path / "a.nii.gz", vessels(), (1.0, 1.0, 1.0)))
    heart_score, first, _, third = score_case(pair, VESSELS)
    assert (first.tubular, first.reference_components, third.reference_components) == (True, 2, None)
    assert (heart_score.tubular, heart_score.reference_components) == (False, None)
    summary = {each.structure: each for each in summarise(score_case(pair, VESSELS), {}).structures}
    assert summary["LAD"].metrics["betti0_error"].mean_with_failures == 2.0
    assert summary["LAD"].metrics["cldice"].mean_with_failures == 0.0
    assert summary["RCA"].metrics["cldice"].mean_with_failures is None
    assert "cldice" not in summary["heart"].metrics


def test_regions_are_scored_as_the_masks_of_all_their_numbers() -> None:
    """Also where the prediction has another of a region's numbers; what is ignored counts nowhere."""
    regions = LabelSet(
        names=("background", "heart", "left", "LV"), regions=((1, 2, 3), (2, 3), (3,)), written=(1, 2, 3), ignore=4
    )
    prediction, reference = np.roll(heart(), 1, axis=0), heart()
    reference[:, 4:6] = 4
    known = reference != 4
    labels = same_labels(regions, tubular=regions.names[1:])
    scores = score_label_maps("case", prediction, reference, SPACING_MM, labels)
    assert [score.structure for score in scores] == ["heart", "left", "LV"]
    for score in scores:
        masks = (np.isin(each, regions.members[score.structure]) & known for each in (prediction, reference))
        predicted, true = masks
        assert tuple(score.metrics) == metrics_for(tubular=True)
        for name, value in score.metrics.items():
            assert value == pytest.approx(METRICS[name].function(predicted, true, SPACING_MM)), name
        assert score.reference_ml == pytest.approx(true.sum() * 22.5 / 1000)
