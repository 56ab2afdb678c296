"""One case: every outcome of the policy, and what makes a case fail."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import StructureScore, score_case, score_label_maps
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image
from uumamba.metrics import METRICS

LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))
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
        assert score.metrics == {name: metric.best for name, metric in METRICS.items()}
        assert score.difference_ml == 0.0
        assert score.reason is None


def test_scores_are_the_metrics_of_each_structure_on_the_whole_image() -> None:
    prediction = np.roll(heart(), (1, 2, 0), axis=(0, 1, 2))
    for score in score_label_maps("case", prediction, heart(), SPACING_MM, LABELS):
        number = LABELS.structures[score.structure]
        for name, metric in METRICS.items():
            expected = metric.function(prediction == number, heart() == number, SPACING_MM)
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
    assert (scores["LV"].prediction_ml, scores["LV"].difference_ml) == (0.0, pytest.approx(-3.24))
    assert scores["MYO"].outcome == "false positive"
    assert scores["MYO"].metrics == pytest.approx(total_miss)
    assert scores["RV"].outcome == "absent"
    assert set(scores["RV"].metrics.values()) == {None}
    assert scores["RV"].reason == "RV is in neither: nothing to compare"
    assert scores["RV"].image_diagonal_mm == pytest.approx(diagonal)


def test_ignored_voxels_do_not_count() -> None:
    labels = LabelSet(names=("background", "vessel"), ignore=2)
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
    (score,) = score_label_maps("case", *maps, spacing, LabelSet(names=("background", "vessel")))
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
            assert score.difference_ml is None
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
