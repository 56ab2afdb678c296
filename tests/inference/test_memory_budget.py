"""A case that takes too much fails alone, before it is read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.folders import contents
from uumamba.core.held_memory import can_measure_peak
from uumamba.imaging.files import write_image
from uumamba.imaging.image import Image
from uumamba.inference.batch import BatchOptions, predict_files
from uumamba.inference.bundle import Bundle
from uumamba.inference.inputs import CaseInput
from uumamba.inference.memory_budget import MemoryBudget, budget_of
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.predictor import Predictor

pytestmark = pytest.mark.skipif(
    not can_measure_peak(torch.device("cpu")), reason="this system does not tell how much memory a process held"
)


@pytest.fixture
def predictor(make_bundle: Callable[..., Bundle]) -> Predictor:
    return Predictor([make_bundle()])


@pytest.fixture
def cases(tmp_path: Path, make_image: Callable[..., Image]) -> tuple[CaseInput, ...]:
    """Two ordinary cases, a large one between them, and a file that is no image."""
    for name, depth in (("a", 3), ("large", 3), ("z", 4)):
        image = make_image((18, 22, depth))
        if name == "large":
            image = Image(np.zeros((400, 400, 100), np.float32), image.affine)
        write_image(tmp_path / f"{name}.nii", image)
    (tmp_path / "broken.nii").write_bytes(b"no image at all")
    return tuple(CaseInput(name, (tmp_path / f"{name}.nii",)) for name in ("a", "broken", "large", "z"))


def test_a_case_that_is_too_large_fails_alone(
    predictor: Predictor, cases: tuple[CaseInput, ...], tmp_path: Path
) -> None:
    ample = budget_of(predictor, cases, maps=False, allowed=1 << 40)
    assert set(ample.needed) == {"a", "large", "z"}
    assert ample.needed["large"] - ample.needed["a"] > 16_000_000 * 8
    assert ample.largest == ample.needed["large"]
    assert ample.fits_side_by_side
    tight = MemoryBudget(ample.needed, ample.beside, allowed=ample.needed["z"])
    assert not tight.fits_side_by_side
    outputs = {name: OutputFolder(tmp_path / name) for name in ("tight", "free")}
    tight_results = predict_files(predictor, cases, outputs["tight"], BatchOptions(budget=tight))
    free_results = predict_files(predictor, cases, outputs["free"], BatchOptions(budget=ample))
    assert [result.code for result in tight_results if result.status == "failed"] == ["unreadable", "too_large"]
    assert "GB are missing" in tight_results[2].reason
    assert free_results[2].status != "failed"
    both = [contents(folder.path) for folder in outputs.values()]
    assert both[0]["a.nii.gz"] == both[1]["a.nii.gz"]
    assert both[0]["z.nii.gz"] == both[1]["z.nii.gz"]


def test_nothing_to_read_is_no_budget(predictor: Predictor, cases: tuple[CaseInput, ...]) -> None:
    budget = budget_of(predictor, cases[1:2], maps=False, allowed=1)
    assert budget.largest is None
    assert budget.fits_side_by_side
    budget.require("broken")
