"""A temperature that was put in is found again, and what it was not fitted on judges it."""

from dataclasses import replace

import numpy as np
import pytest

from uumamba.core.errors import InputError, UumambaError
from uumamba.core.labels import LabelSet
from uumamba.inference.calibration import Calibration
from uumamba.inference.temperature import (
    HIGHEST,
    LOWEST,
    REGION,
    Judged,
    calibrate,
    expected_dice_of,
    fit_temperature,
    judge,
)
from uumamba.inference.voxel_sample import VoxelSample
from uumamba.metrics.calibration import reliability

PATIENTS = {f"p{patient}_{frame}": f"p{patient}" for patient in range(4) for frame in "ab"}


def draw(temperature: float, *, voxels: int = 4000, far: int = 500, seed: int = 0) -> VoxelSample:
    """Voxels whose true classes come from softmax(logits / temperature); those far from structures are always right."""
    random = np.random.default_rng(seed)
    logits = temperature * 2 * random.normal(size=(voxels, 3))
    reference = (logits / temperature + random.gumbel(size=logits.shape)).argmax(1)
    easy = np.tile([9.0, 0, 0], (far, 1))
    return VoxelSample(
        logits=np.concatenate([logits, easy]).astype(np.float32),
        reference=np.concatenate([reference, np.zeros(far)]).astype(np.int16),
        near=np.arange(voxels + far) < voxels,
        weights=np.where(np.arange(voxels + far) < voxels, 1.0, 20.0),
    )


def samples(temperature: float = 1.6) -> dict[str, VoxelSample]:
    """Eight cases of four patients."""
    return {case: draw(temperature, seed=seed) for seed, case in enumerate(PATIENTS)}


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.6, 5.0])
def test_the_temperature_is_found(temperature: float) -> None:
    found = fit_temperature({"a": draw(temperature, voxels=40_000)})
    assert found == pytest.approx(temperature, rel=0.03)


def test_it_is_the_minimum_of_the_likelihood_near_structures() -> None:
    together = samples()
    best = fit_temperature(together)
    losses = [judge(together, best * factor).near.nll for factor in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)
    only_far_changed = {case: replace(one, weights=np.where(one.near, 1.0, 999.0)) for case, one in together.items()}
    assert fit_temperature(only_far_changed) == best


def test_calibration_lowers_the_error_and_keeps_every_class() -> None:
    fit = calibrate(samples(), PATIENTS)
    before, after = fit.before.near, fit.after.near
    assert before.ece is not None
    assert after.ece is not None
    assert before.ece > 0.08
    assert after.ece < 0.015
    assert after.nll < before.nll
    assert after.correct.sum() == before.correct.sum(), "the likeliest class is the same at every temperature"
    assert fit.before.everywhere.count == 8 * (4000 + 500 * 20)
    assert not fit.is_at_limit
    assert fit.cases == tuple(PATIENTS)


def test_all_voxels_are_those_near_and_those_far() -> None:
    one = draw(1.6)
    judged = judge({"a": one}, 1.3)
    whole = reliability(one.logits, one.reference, weights=one.weights, temperature=1.3)
    assert judged.everywhere.ece == pytest.approx(whole.ece)
    assert judged.everywhere.mean_nll == pytest.approx(whole.mean_nll)
    assert judged.everywhere.ece is not None
    assert judged.near.ece is not None
    assert judged.everywhere.ece < judged.near.ece, "easy background flatters"


def test_each_half_of_the_patients_is_judged_by_the_other() -> None:
    """Two patients whose networks are differently sure: each gets the other's temperature."""
    two = {"a": draw(1.0), "a2": draw(1.0, seed=1), "b": draw(3.0), "b2": draw(3.0, seed=1)}
    fit = calibrate(two, {"a": "A", "a2": "A", "b": "B", "b2": "B"})
    crossed = fit.crossed
    assert crossed is not None
    assert sorted(crossed.temperatures) == pytest.approx([1.0, 3.0], rel=0.1)
    first = judge({case: two[case] for case in ("a", "a2")}, max(crossed.temperatures))
    other = judge({case: two[case] for case in ("b", "b2")}, min(crossed.temperatures))
    expected: Judged = first + other
    assert crossed.judged.near.ece == pytest.approx(expected.near.ece)
    assert crossed.judged.near.count == fit.after.near.count
    assert crossed.judged.near.nll > fit.after.near.nll, "the fit on all cannot be worse on all"


def test_one_patient_is_not_cross_fitted() -> None:
    fit = calibrate({"a": draw(1.5), "b": draw(1.5, seed=1)}, {"a": "A", "b": "A"})
    assert fit.crossed is None
    assert fit.calibration.ece_cross_fitted is None
    unknown = calibrate({"a": draw(1.5), "b": draw(1.5, seed=1)}, {})
    assert unknown.crossed is not None, "cases of unknown patients are patients of their own"


def test_what_the_bundle_keeps() -> None:
    fit = calibrate(samples(), PATIENTS)
    kept = fit.calibration
    assert kept.cases == tuple(PATIENTS)
    assert kept.region == REGION == "within 10 mm of a structure"
    assert (kept.temperature, kept.ece_before, kept.ece_after) == (
        fit.temperature,
        fit.before.near.ece,
        fit.after.near.ece,
    )
    assert kept.nll_after is not None
    assert kept.nll_before is not None
    assert kept.nll_after < kept.nll_before
    assert Calibration.model_validate_json(kept.model_dump_json()) == kept
    assert Calibration().temperature == 1


@pytest.mark.parametrize(("right", "limit"), [(True, LOWEST), (False, HIGHEST)])
def test_a_network_that_is_never_wrong_or_always_is_at_the_limit(right: bool, limit: float) -> None:
    sample = draw(1.0)
    reference = sample.logits.argmax(1) if right else sample.logits.argmin(1)
    fit = calibrate({"a": replace(sample, reference=reference.astype(np.int16))}, {})
    assert fit.is_at_limit
    assert fit.temperature == pytest.approx(limit, rel=0.01)


def test_the_expected_dice_is_that_of_all_voxels() -> None:
    sample = draw(1.0, far=0)
    probability = np.exp(sample.logits / 2) / np.exp(sample.logits / 2).sum(1, keepdims=True)
    mask = sample.logits.argmax(1) == 2
    slow = 2 * probability[mask, 2].sum() / (mask.sum() + probability[:, 2].sum())
    assert expected_dice_of(sample, 2, 2.0) == pytest.approx(slow, rel=1e-5)
    doubled = replace(sample, weights=2 * sample.weights)
    assert expected_dice_of(doubled, 2, 2.0) == pytest.approx(slow, rel=1e-5)
    without = replace(sample, logits=sample.logits + np.array([0, 0, -99], np.float32))
    assert expected_dice_of(without, 2, 2.0) is None


REGIONS = LabelSet(names=("background", "all", "one"), regions=((1, 2), (2,)), written=(1, 2))


def draw_regions(temperature: float, voxels: int = 30_000) -> VoxelSample:
    """Voxels whose numbers come from sigmoid(logits / temperature), the inner region's only where the outer's does."""
    random = np.random.default_rng(0)
    logits = temperature * 2 * random.normal(size=(voxels, 2))
    outer, inner = (random.random((voxels, 2)) < 1 / (1 + np.exp(-logits / temperature))).T
    reference = np.where(outer, np.where(inner, 2, 1), 0).astype(np.int16)
    return VoxelSample(logits.astype(np.float32), reference, np.ones(voxels, bool), np.ones(voxels), REGIONS)


def test_of_regions_each_is_a_question_with_two_answers() -> None:
    sample = draw_regions(2.0)
    judged = judge({"a": sample}, 2.0).near
    probability = 1 / (1 + np.exp(-sample.logits.astype(float) / 2))
    truth = np.stack([sample.reference > 0, sample.reference == 2], axis=1)
    slow = -np.log(np.where(truth, probability, 1 - probability)).mean()
    assert judged.mean_nll == pytest.approx(slow, rel=1e-5)
    assert judged.accuracy == pytest.approx(((probability > 0.5) == truth).mean())
    assert judged.mean_brier == pytest.approx(2 * np.square(probability - truth).mean(), rel=1e-5)
    assert judged.count == pytest.approx(len(sample.reference))


def test_of_regions_the_temperature_is_found() -> None:
    """Of the outer region alone, since the inner one's truth is cut by it."""
    sample = draw_regions(1.6)
    (outer, _) = sample.questions
    assert fit_temperature({"a": outer}) == pytest.approx(1.6, rel=0.03)
    best = fit_temperature({"a": sample})
    losses = [judge({"a": sample}, best * factor).near.nll for factor in (0.97, 1.0, 1.03)]
    assert losses[1] == min(losses)


def test_of_regions_the_expected_dice_is_that_of_the_label_map() -> None:
    sample = draw_regions(1.0)
    probability = 1 / (1 + np.exp(-sample.logits / 2))
    outer, inner = sample.logits[:, 0] > 0, sample.logits[:, 1] > 0
    for output, mask in enumerate((outer | inner, inner)):  # what has the inner one's number is within the outer too
        slow = 2 * probability[mask, output].sum() / (mask.sum() + probability[:, output].sum())
        assert expected_dice_of(sample, output, 2.0) == pytest.approx(slow, rel=1e-5)
    without = replace(sample, logits=sample.logits - np.float32(99))
    assert expected_dice_of(without, 0, 2.0) is None


def test_errors() -> None:
    far_only = replace(draw(1.0), near=np.zeros(4500, bool))
    with pytest.raises(InputError, match="no voxel of these cases lies near a structure and has a reference"):
        calibrate({"a": far_only}, {})
    with pytest.raises(InputError, match="no voxel of these cases"):
        calibrate({}, {})
    broken = replace(draw(1.0), logits=np.full((4500, 3), np.nan, np.float32))
    with pytest.raises(
        UumambaError, match=r"b: the network's output is not finite \(in 1 of 2 cases\).*train it again"
    ):
        calibrate({"a": draw(1.0), "b": broken}, {})
