"""A step measured on real small networks."""

from functools import partial

import pytest
import torch

from tests.fakes.choice import choice_2d
from uumamba.core.held_memory import can_measure_peak
from uumamba.core.processes import ALONE, BatchSum
from uumamba.losses.segmentation import LossSettings
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.umamba import UMambaSettings
from uumamba.optim.optimizers import SGDSettings
from uumamba.optim.plain import PlainSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.optim.step import Rule, Step
from uumamba.training.cluster import connected
from uumamba.training.concessions import Choice
from uumamba.training.setup import set_up
from uumamba.training.step_cost import measure_step, synthetic_batch

CPU = torch.device("cpu")
RULE = SharpnessAwareSettings().build()


PLAIN = UMambaSettings(mamba="none")
FUSED = UMambaSettings(mamba="none", decoder=FreqFusionDecoderSettings(stages="all", lowpass_kernel=9))


def build(choice: Choice, *, deep_supervision: bool = True, settings: UMambaSettings = PLAIN) -> Step:
    plan = choice.plan
    network = settings.build(
        plan.topology, input_channels=1, classes=4, deep_supervision=deep_supervision,
        checkpoint_stages=choice.checkpoint_stages,
    )  # fmt: skip
    levels = len(plan.topology.features) - 1 if deep_supervision else 1
    loss = LossSettings().build(labels=plan.labels, batch_dice=plan.batch_dice, levels=levels)
    with connected(ALONE, CPU) as fabric:
        return set_up(
            fabric, network, loss, SGDSettings().build, batch_sum=BatchSum(ALONE), precision="fp32",
            clip_norm=12.0, skip_limit=5,
        ).step  # fmt: skip


@pytest.mark.parametrize("rule", [RULE, PlainSettings().build()])
@pytest.mark.parametrize("deep_supervision", [True, False])
def test_a_step_costs_time_and_leaves_the_random_state(rule: Rule, deep_supervision: bool) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    cost = measure_step(
        lambda choice: build(choice, deep_supervision=deep_supervision), choice_2d(batch=2, accumulate=3), rule, CPU
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert cost is not None
    assert cost.seconds > 0
    assert cost.validation_seconds > 0


def test_two_networks_of_a_seed_are_the_same_with_a_measurement_before_them() -> None:
    torch.manual_seed(3)
    alone = build(choice_2d())
    torch.manual_seed(3)
    measure_step(build, choice_2d(batch=2), RULE, CPU)
    after = build(choice_2d())
    assert all(torch.equal(*pair) for pair in zip(alone.params, after.params, strict=True))


@pytest.mark.skipif(not can_measure_peak(CPU), reason="memory cannot be measured on this system")
def test_memory_grows_with_patch_and_batch_and_falls_with_recomputed_stages() -> None:
    small, large = choice_2d((64, 64), batch=2), choice_2d((128, 128), batch=8)
    again = large.model_copy(update={"checkpoint_stages": (0, 1, 2)})
    costs = [measure_step(build, choice, RULE, CPU) for choice in (small, small, large, again)]
    peaks = [cost.peak_bytes - cost.held_bytes for cost in costs if cost is not None]
    assert len(peaks) == 4
    assert peaks[1] < peaks[2]
    assert peaks[3] < peaks[2]


@pytest.mark.skipif(not can_measure_peak(CPU), reason="memory cannot be measured on this system")
def test_a_fused_decoder_is_measured_with_what_it_costs() -> None:
    """More memory than the plain decoder."""
    choice, fused = choice_2d((128, 128), batch=8), partial(build, settings=FUSED)
    measure_step(fused, choice, RULE, CPU)
    costs = [measure_step(each, choice, RULE, CPU) for each in (build, fused)]
    peaks = [cost.peak_bytes - cost.held_bytes for cost in costs if cost is not None]
    assert peaks[0] < peaks[1]


def test_a_device_that_runs_out_of_memory_gives_no_cost() -> None:
    def refuse(_: Choice) -> Step:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    assert measure_step(refuse, choice_2d(), RULE, CPU) is None


def test_noise_has_a_batchs_shape() -> None:
    batch = synthetic_batch(choice_2d((64, 32), batch=3))
    assert batch["image"].shape == (3, 1, 64, 32)
    assert [level.shape for level in batch["target"]] == [(3, 1, 64, 32), (3, 1, 32, 16)]
    assert all(level.dtype == torch.int16 for level in batch["target"])
