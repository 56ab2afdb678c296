"""Reliability: what is calibrated has no error, what is too sure has the error that arithmetic says."""

import numpy as np
import pytest

from uumamba.core.errors import InputError
from uumamba.metrics.calibration import BINS, Reliability, no_voxels, reliability, total


def draw(voxels: int, classes: int = 4, *, seed: int = 0, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and true classes drawn from their probabilities."""
    random = np.random.default_rng(seed)
    logits = spread * random.normal(size=(voxels, classes))
    return logits, (logits + random.gumbel(size=logits.shape)).argmax(1)


def equal(one: Reliability, other: Reliability) -> bool:
    """To rounding."""
    names = ("voxels", "confidences", "correct", "nll", "brier")
    return all(np.allclose(getattr(one, name), getattr(other, name), rtol=1e-12) for name in names)


def slow(logits: np.ndarray, reference: np.ndarray, temperature: float) -> tuple[float, float, float]:
    """ECE, NLL and Brier score by their definitions, one voxel after the other."""
    bins: dict[int, list[tuple[float, float]]] = {}
    nll = brier = 0.0
    for values, true in zip(logits / temperature, reference, strict=True):
        probability = np.exp(values) / np.exp(values).sum()
        bins.setdefault(int(probability.max() * BINS), []).append((probability.max(), float(values.argmax() == true)))
        nll -= np.log(probability[true])
        brier += sum((value - (number == true)) ** 2 for number, value in enumerate(probability))
    gaps = (len(pairs) * abs(np.mean([c - a for c, a in pairs])) for pairs in bins.values())
    return sum(gaps) / len(logits), nll / len(logits), brier / len(logits)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_equals_the_definitions(temperature: float) -> None:
    logits, reference = draw(500)
    found = reliability(logits, reference, temperature=temperature)
    ours = (found.ece, found.mean_nll, found.mean_brier)
    assert ours == pytest.approx(slow(logits, reference, temperature))


def test_drawn_from_its_own_probabilities_it_is_calibrated() -> None:
    logits, reference = draw(200_000)
    found = reliability(logits, reference)
    assert found.ece is not None
    assert found.ece < 0.004
    assert found.confidence == pytest.approx(found.accuracy, abs=0.003)
    sharper = reliability(logits, reference, temperature=0.5)
    assert sharper.ece is not None
    assert sharper.ece > 0.1


@pytest.mark.parametrize(("sure", "right"), [(0.9, 0.7), (0.6, 0.8), (1.0, 0.25)])
def test_the_error_of_one_confidence_is_its_distance_from_the_accuracy(sure: float, right: float) -> None:
    voxels = 1000
    with np.errstate(divide="ignore"):
        logits = np.tile(np.log([sure, 1 - sure]), (voxels, 1))
    logits = np.maximum(logits, -700)
    reference = (np.arange(voxels) >= right * voxels).astype(int)
    found = reliability(logits, reference)
    assert found.ece == pytest.approx(abs(sure - right))
    assert found.accuracy == pytest.approx(right)
    assert found.mean_brier == pytest.approx(2 * (right * (1 - sure) ** 2 + (1 - right) * sure**2))


def test_streamed_equals_all_at_once_in_any_order() -> None:
    logits, reference = draw(999)
    parts = [reliability(logits[place : place + 100], reference[place : place + 100]) for place in range(0, 999, 100)]
    assert equal(total(parts), reliability(logits, reference))
    assert equal(total(parts[::-1]), total(parts))
    assert equal(no_voxels() + parts[0], parts[0])
    assert total([]).count == 0


def test_bins_hold_every_voxel() -> None:
    logits, reference = draw(1234)
    found = reliability(logits, reference)
    assert found.voxels.sum() == found.count == 1234
    assert (found.correct <= found.voxels).all()
    places = np.arange(BINS + 1) / BINS
    filled = found.voxels > 0
    means = found.confidences[filled] / found.voxels[filled]
    assert ((means >= places[:-1][filled]) & (means <= places[1:][filled])).all()


def test_a_weight_is_a_number_of_voxels() -> None:
    logits, reference = draw(300)
    weights = np.random.default_rng(3).integers(0, 4, 300)
    repeated = reliability(np.repeat(logits, weights, axis=0), np.repeat(reference, weights))
    assert equal(reliability(logits, reference, weights=weights), repeated)


def test_ignored_voxels_are_left_out() -> None:
    logits, reference = draw(300)
    with_unknown = np.where(np.arange(300) < 100, 9, reference)
    found = reliability(logits, with_unknown, ignore=9, weights=np.full(300, 2.0))
    assert equal(found, reliability(logits[100:], reference[100:], weights=np.full(200, 2.0)))
    nothing = reliability(logits, np.full(300, 9), ignore=9)
    assert nothing.count == 0
    means = (nothing.ece, nothing.mean_nll, nothing.mean_brier, nothing.accuracy, nothing.confidence)
    assert means == (None,) * 5


def test_log_probabilities_do_as_logits() -> None:
    logits, reference = draw(300)
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert equal(reliability(log_probabilities, reference), reliability(logits, reference))


def test_errors() -> None:
    logits, reference = draw(10)
    with pytest.raises(InputError, match=r"logits must be \(voxels, classes\) for \(9,\) true classes, got \(10, 4\)"):
        reliability(logits, reference[:9])
    with pytest.raises(InputError, match="true classes must be 0 to 3, got -1 to"):
        reliability(logits, reference - np.arange(10, 0, -1) // 10 * (reference + 1))
    for temperature in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="temperature must be a positive number, got"):
            reliability(logits, reference, temperature=temperature)
    with pytest.raises(ValueError, match="15 and 10 bins do not add up"):
        no_voxels() + no_voxels(10)
