"""What a case takes is counted before it is taken, and measured in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fakes.plan import fake_plan
from uumamba.core.errors import TooLargeError
from uumamba.core.held_memory import can_measure_peak
from uumamba.data.memory import geometry_of, reading_bytes
from uumamba.data.plan import Plan
from uumamba.data.preprocess import network_shape, preprocess_case
from uumamba.imaging.image import Image, ImageSize
from uumamba.inference.memory import Demand, require_memory

measurable = pytest.mark.skipif(
    not can_measure_peak(torch.device("cpu")), reason="this system does not tell how much memory a process held"
)
PLAIN = Demand(patches=((16, 16),), forward_bytes=0, maps=False, opinions=1, postprocessing_bytes=0)


def size_of(*shape: int) -> ImageSize:
    return ImageSize(shape, np.diag([1.5, 1.2, 8.0, 1.0]), 2)


def test_the_shape_is_that_of_the_prepared_case(make_image: Callable[..., Image], plan: Plan) -> None:
    image = make_image((21, 34, 5))
    turned = Image(image.data.transpose(2, 0, 1), image.affine[:, [2, 0, 1, 3]])
    for each in (image, turned):
        geometry = geometry_of(ImageSize(each.data.shape, each.affine, 4), plan)
        prepared = preprocess_case([each], plan)
        assert geometry == prepared.geometry
        assert network_shape(geometry, plan) == prepared.data.shape[1:]


@pytest.mark.parametrize(
    "changes",
    [{"forward_bytes": 10**9}, {"maps": True}, {"patches": ((16, 16),) * 3}, {"postprocessing_bytes": 7}],
)
def test_more_work_takes_more(changes: dict[str, int], plan: Plan) -> None:
    size = size_of(300, 300, 90)
    assert replace(PLAIN, **changes).of(size, plan) > PLAIN.of(size, plan)  # type: ignore[arg-type]


def test_disagreement_takes_what_entropy_takes_again(plan: Plan) -> None:
    size, one = size_of(300, 300, 90), replace(PLAIN, maps=True)
    assert replace(one, opinions=2).of(size, plan) - one.of(size, plan) >= 4 * 300 * 300 * 90


def test_a_series_is_held_as_a_whole(plan: Plan) -> None:
    frame, series = size_of(20, 20, 5), size_of(20, 20, 5, 30)
    assert PLAIN.series_bytes(frame) == 0
    assert PLAIN.of(series, plan) == PLAIN.of(frame, plan)
    assert PLAIN.series_bytes(series) == 2000 * (29 * 4 + 30)
    assert reading_bytes(series) == 30 * reading_bytes(frame) == 60_000 * 7


def test_too_large_says_what_is_missing() -> None:
    require_memory(5, 5)
    with pytest.raises(
        TooLargeError, match=r"takes 21\.3 GB of memory where 16\.0 GB may be used: 5\.3 GB are missing"
    ):
        require_memory(21_300_000_000, 16_000_000_000)


_MEASURE = """
import json, sys
import numpy as np, torch
from pathlib import Path
from tests.fakes.plan import fake_plan
from uumamba.core.device import choose_device
from uumamba.core.held_memory import forget_peak, peak_bytes
from uumamba.core.labels import LabelSet
from uumamba.imaging.image import Image, ImageSize
from uumamba.inference.bundle import BundleDescription, read_bundle, write_bundle
from uumamba.inference.network import network_of
from uumamba.inference.predictor import Predictor
from uumamba.models.umamba import UMambaSettings

device = choose_device("cpu")
torch.set_num_threads(1)
labels = LabelSet(names=("background", *(f"zone {number}" for number in range(1, 24))))
plan = fake_plan((32, 48, 48)).model_copy(update={"labels": labels, "spacing_mm": (1.0, 1.0, 1.0)})
settings = UMambaSettings(mamba="none")
path = Path(sys.argv[1]) / "bundle.safetensors"
network = network_of(plan, settings, deep_supervision=False)
write_bundle(path, state=network.state_dict(), description=BundleDescription(plan=plan, network=settings))
predictor = Predictor([read_bundle(path)] * 2, device=device, overlap=0.0)
affine, shape = np.diag([*json.loads(sys.argv[2]), 1.0]), (192, 192, 256)
predicted = predictor.bytes_of(ImageSize(shape, affine, 4), maps=True)
image = Image(np.random.default_rng(0).random(shape, np.float32), affine)
forget_peak(device)
predictor.predict([image], maps=True)
print(predicted, peak_bytes(device))
"""


@measurable
@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.6)])
def test_the_prediction_is_within_a_fifth_of_what_is_held(
    spacing: tuple[float, ...], tmp_path: pytest.TempPathFactory
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path), json.dumps(spacing)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    predicted, held = map(int, done.stdout.split())
    assert predicted == pytest.approx(held, rel=0.2)


def test_a_coarse_pass_takes_the_data_and_its_own_grid(plan: Plan) -> None:
    size, fine = size_of(300, 300, 90), fake_plan((8, 16, 16))
    coarse = fine.model_copy(update={"spacing_mm": (8.0, 12.0, 12.0)})
    # Predicting takes more, as the region may be the whole image.
    assert replace(PLAIN, coarse=(coarse,)).of(size, plan) == PLAIN.of(size, plan)
    assert replace(PLAIN, coarse=(coarse, fine)).of(size, plan) > PLAIN.of(size, plan)
