"""Intervals of means: laws, what has none, and how often they hold the truth."""

import numpy as np
import pytest

from uumamba.evaluation.resampling import Interval, describe_method, mean_interval

FEW = 999


def interval(values: np.ndarray, patients: list[str], resamples: int = FEW) -> tuple[float, float]:
    found = mean_interval(values.tolist(), patients, resamples=resamples)
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def two_each(count: int) -> list[str]:
    """Names of the patients of 2 x `count` cases."""
    return [f"patient{number:03d}" for number in range(count) for _ in "ab"]


@pytest.fixture
def values() -> np.ndarray:
    """Values of 15 patients, two cases each."""
    return np.random.default_rng(5).gamma(2.0, size=30)


def test_the_mean_is_inside(values: np.ndarray) -> None:
    low, high = interval(values, two_each(15))
    assert low < values.mean() < high


def test_sign_shift_and_scale(values: np.ndarray) -> None:
    low, high = interval(values, two_each(15))
    assert interval(-values, two_each(15)) == pytest.approx((-high, -low), abs=1e-9)
    assert interval(values + 7, two_each(15)) == pytest.approx((low + 7, high + 7), abs=1e-9)
    assert interval(3 * values, two_each(15)) == pytest.approx((3 * low, 3 * high), abs=1e-9)


def test_the_order_of_cases_does_not_matter_and_the_seed_is_fixed(values: np.ndarray) -> None:
    patients = two_each(15)
    order = np.random.default_rng(0).permutation(30)
    shuffled = interval(values[order], [patients[place] for place in order])
    assert shuffled == pytest.approx(interval(values, patients), abs=1e-12)
    assert interval(values, patients) == interval(values, patients)


def test_a_copy_of_every_case_tells_nothing_new(values: np.ndarray) -> None:
    patients = two_each(15)
    assert interval(np.tile(values, 2), patients * 2) == pytest.approx(interval(values, patients), abs=1e-12)
    low, high = interval(values, patients)
    naive_low, naive_high = interval(np.tile(values, 2), [str(number) for number in range(60)])
    assert naive_high - naive_low < high - low


def test_what_has_no_interval_or_no_width() -> None:
    assert mean_interval([], []) == Interval(None, None, "needs 2 patients, got 0")
    assert mean_interval([0.1, 0.3], ["p", "p"]) == Interval(None, None, "needs 2 patients, got 1")
    assert mean_interval([0.25] * 4, ["p", "p", "q", "r"]) == Interval(0.25, 0.25)
    assert mean_interval([0.1, 0.3, 0.2], ["p", "p", "q"]) == Interval(0.2, 0.2)


def test_it_holds_the_truth_about_as_often_as_it_says_and_cases_alone_would_not() -> None:
    """Two cases a patient, alike to a correlation of 0.8: taken for 40 independent cases, they promise too much."""
    generator = np.random.default_rng(11)
    held = {"patients": 0, "cases": 0}
    simulations = 300
    for _ in range(simulations):
        of_patient = np.repeat(generator.normal(scale=2.0, size=20), 2)
        drawn = of_patient + generator.normal(size=40)
        for unit, names in (("patients", two_each(20)), ("cases", [str(number) for number in range(40)])):
            low, high = interval(drawn, names)
            held[unit] += low <= 0 <= high
    assert 0.90 <= held["patients"] / simulations <= 0.98
    assert held["cases"] / simulations < 0.88


@pytest.mark.parametrize(
    ("patients", "skewed", "least", "most"),
    [(6, False, 0.80, 0.94), (20, False, 0.89, 0.97), (6, True, 0.70, 0.87), (20, True, 0.80, 0.94)],
)
def test_how_often_it_holds_the_truth_with_few_patients_and_skewed_differences(
    patients: int, skewed: bool, least: float, most: float
) -> None:
    """The documented figures, smaller."""
    generator = np.random.default_rng(2)
    names = [str(number) for number in range(patients)]
    held = 0
    for _ in range(200):
        drawn = generator.lognormal(size=patients) - np.exp(0.5) if skewed else generator.normal(size=patients)
        low, high = interval(drawn, names)
        held += low <= 0 <= high
    assert least <= held / 200 <= most


def test_the_method_is_told() -> None:
    assert describe_method() == {
        "method": "BCa bootstrap over patients",
        "confidence": 0.95,
        "resamples": 9999,
        "seed": 0,
    }
