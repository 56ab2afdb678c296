"""ACDC's own references, where they are at hand: known volumes, and an identity prediction."""

from pathlib import Path

import pytest

from uumamba.core.labels import LabelSet
from uumamba.evaluation.label_match import same_labels
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import score_case

TRAINING = Path(__file__).parents[2].parent / "shared" / "data" / "acdc" / "database" / "training"
LABELS = same_labels(LabelSet(names=("background", "RV", "MYO", "LV")))

pytestmark = pytest.mark.skipif(not TRAINING.is_dir(), reason="ACDC's training folder is not beside the repository")


@pytest.mark.parametrize(
    ("case", "volumes_ml"),
    [
        ("patient001_frame01", [139.7, 164.3, 295.5]),
        ("patient057_frame09", [68.3, 146.8, 89.0]),
        ("patient090_frame04", [217.8, 60.0, 77.6]),
    ],
)
def test_volumes_and_identity(case: str, volumes_ml: list[float]) -> None:
    reference = next((TRAINING / case.split("_")[0]).glob(f"{case}_gt.nii*"))
    scores = score_case(CasePair(case, reference, reference), LABELS)
    assert [score.reference_ml for score in scores] == pytest.approx(volumes_ml, abs=0.05)
    for score in scores:
        assert score.metrics == {"dice": 1.0, "hd_mm": 0.0, "hd95_mm": 0.0, "assd_mm": 0.0, "nsd": 1.0}
