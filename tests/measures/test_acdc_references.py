"""ACDC's own references, where they are at hand, are whole hearts: on their figures the rules of completeness rest."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.core.labels import LabelSet
from uumamba.imaging.files import read_label_map
from uumamba.measures import whole_volumes
from uumamba.measures.completeness import LARGEST_END

TRAINING = Path(__file__).parents[2].parent / "shared" / "data" / "acdc" / "database" / "training"
LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))

pytestmark = pytest.mark.skipif(not TRAINING.is_dir(), reason="ACDC's training folder is not beside the repository")


def test_all_references_are_whole() -> None:
    ends = []
    paths = sorted(TRAINING.glob("*/*_gt.nii.gz"))
    for path in paths:
        label_map = read_label_map(path)
        volumes = whole_volumes(label_map.data, label_map.spacing_mm, LABELS)
        assert {name: volume.reason for name, volume in volumes.items()} == dict.fromkeys(volumes), path
        areas = np.count_nonzero(label_map.data == LABELS.structures["LV"], axis=(0, 1))
        ends.append(min(areas[0], areas[-1]) / areas.max())
    assert len(paths) == 200
    assert sum(end > 0 for end in ends) == 132
    assert max(ends) == pytest.approx(0.57, abs=0.005)
    assert max(ends) < LARGEST_END
