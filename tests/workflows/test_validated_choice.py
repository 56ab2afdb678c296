"""Post-processing is chosen on the label maps that a validation kept, with axes and spacings of the image."""

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.plan import fake_plan
from tests.fakes.store import fake_store
from uumamba.data.datasets.anatomy import Anatomy
from uumamba.inference.packed_labels import pack_labels
from uumamba.inference.postprocessing import LargestComponents
from uumamba.inference.postprocessing_choice import Choice, ValidationCase
from uumamba.training.validation import CaseValidation
from uumamba.workflows import validated_choice


@pytest.fixture
def predicted(tmp_path: Path) -> tuple[dict[str, np.ndarray], dict[str, CaseValidation]]:
    """Perfect label maps but for a speck of each class in a corner."""
    store = fake_store(tmp_path, cases=2)
    maps = {}
    for case in store.cases():
        labels = np.maximum(store.read_case(case)[1][0], 0)
        labels[0, :2, :2], labels[7, 38:, 34:] = 1, 2
        maps[case] = labels
    return maps, {case: CaseValidation({}, None, pack_labels(labels)) for case, labels in maps.items()}


def test_specks_are_found_out(
    tmp_path: Path, predicted: tuple[dict[str, np.ndarray], dict[str, CaseValidation]]
) -> None:
    plan = fake_plan((16, 16))
    anatomy = Anatomy(pieces=dict.fromkeys(("shell", "ball"), 1))
    choice = validated_choice.choose(predicted[1], fake_store(tmp_path, cases=2), plan, anatomy)
    assert choice.postprocessing.steps == (LargestComponents(structures=("shell", "ball")),)
    assert choice.cases == 2


def test_cases_are_read_in_image_axes(
    tmp_path: Path,
    predicted: tuple[dict[str, np.ndarray], dict[str, CaseValidation]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[ValidationCase] = []

    def look(readers: list, *_: object) -> Choice:
        seen.extend(read() for read in readers)
        raise InterruptedError

    monkeypatch.setattr(validated_choice, "choose_postprocessing", look)
    store = fake_store(tmp_path, cases=2)
    plan = fake_plan((16, 16)).model_copy(update={"axes": (2, 0, 1)})
    with pytest.raises(InterruptedError):
        validated_choice.choose(predicted[1], store, plan, Anatomy())
    for found, (case, labels) in zip(seen, predicted[0].items(), strict=True):
        assert found.spacing_mm == (1.5, 1.25, 5.0)
        np.testing.assert_array_equal(found.prediction, np.moveaxis(labels, 0, 2))
        np.testing.assert_array_equal(found.reference, np.moveaxis(store.read_case(case)[1][0], 0, 2))
