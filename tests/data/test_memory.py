"""What preparing a case takes is counted from its headers, and measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.plan import fake_plan
from uumamba.core.held_memory import can_measure_peak
from uumamba.data.memory import CaseSize, checking_bytes, preparing_bytes, storing_bytes
from uumamba.imaging.image import ImageSize

PLAN = fake_plan((8, 8, 8)).model_copy(update={"spacing_mm": (1.0, 1.0, 1.0)})


def size_of(spacing_mm: float, voxel_bytes: int = 2) -> CaseSize:
    affine, shape = np.diag([*(spacing_mm,) * 3, 1.0]), (100, 90, 80)
    return CaseSize((ImageSize(shape, affine, voxel_bytes),), ImageSize(shape, affine, 1))


def test_small_integers_take_less_than_other_numbers() -> None:
    assert checking_bytes(size_of(1.0)) < checking_bytes(size_of(1.0, 4)) < checking_bytes(size_of(1.0, 8))
    assert storing_bytes(size_of(1.0), PLAN) < storing_bytes(size_of(1.0, 4), PLAN)


def test_finer_and_other_grids_take_more() -> None:
    assert storing_bytes(size_of(1.0), PLAN) < storing_bytes(size_of(1.2), PLAN) < storing_bytes(size_of(2.0), PLAN)


def test_a_label_map_takes_more_than_none() -> None:
    (image,) = size_of(1.2).images
    assert preparing_bytes(image, PLAN, labelled=True) >= preparing_bytes(image, PLAN) + 2 * 720_000


_MEASURE = """
import json, sys
import numpy as np, torch
from pathlib import Path
from tests.fakes.plan import fake_plan
from uumamba.core.held_memory import forget_peak, held_bytes, peak_bytes
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.store import PreprocessedStore
from uumamba.imaging.image import Image
from uumamba.imaging.nifti import header_from, write_nifti
from uumamba.workflows.case_processes import CaseProcesses, checking_bytes, storing_bytes
from uumamba.workflows.preprocess import _check_case, _store_case

folder, spacing = Path(sys.argv[1]), json.loads(sys.argv[2])
store = PreprocessedStore(folder / "store")
labels = LabelSet(names=("background", *(f"zone {number}" for number in range(1, 24))))
plan = fake_plan((32, 48, 48)).model_copy(update={"labels": labels, "spacing_mm": (1.0, 1.0, 1.0)})
channel = plan.channels[0].model_copy(update={"normalization": "ct"})
plan = plan.model_copy(update={"channels": (channel,)})

def prepare(shape):
    random, header = np.random.default_rng(0), header_from(np.diag([*spacing, 1.0]))
    write_nifti(folder / "ct.nii", random.integers(-1000, 1000, shape, np.int16), header)
    label_map = np.zeros(shape, np.uint8)
    for number in range(1, 24):
        label_map[number : number + 9, 10:30, 2 * number : 2 * number + 5] = number
    write_nifti(folder / "ct_gt.nii", label_map, header)
    case = Case("a", "a", (folder / "ct.nii",), folder / "ct_gt.nii")
    size = CaseProcesses.of([case], None).sizes["a"]
    for step, predicted in (
        (lambda: _check_case(case, labels=labels, samples=1000), checking_bytes(size)),
        (lambda: _store_case((case, "x"), store=store, plan=plan), storing_bytes(size, plan)),
    ):
        forget_peak(device)
        before = held_bytes(device)
        step()
        yield predicted, peak_bytes(device) - before

device = torch.device("cpu")
torch.set_num_threads(1)
list(prepare((64, 64, 64)))  # compiled loops come to stay
print(json.dumps(list(prepare((256, 256, 320)))))
"""


@pytest.mark.skipif(
    not can_measure_peak(torch.device("cpu")), reason="this system does not tell how much memory a process held"
)
@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.6)])
def test_the_prediction_is_near_what_is_held(spacing: tuple[float, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path), json.dumps(spacing)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # NIfTI is decoded in place, which the prediction does not count on: other formats are there twice for a while.
    for (predicted, held), most in zip(json.loads(done.stdout), (1.8, 1.4), strict=True):
        assert 0.95 * held <= predicted <= most * held
