"""The temperature at which a network's probabilities fit the truth best, and how well they fit it.

Temperature scaling (Guo et al. 2017, arXiv 1706.04599): softmax(logits / T), T one positive number that minimises the
negative log likelihood of held-out voxels. It is fitted and judged near structures; over all voxels it is judged too.
Of regions it is sigmoid(logits / T), and what is fitted and judged are the means over the regions, each a question with
two answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit, logsumexp, softmax

from uumamba.core.errors import InputError, UumambaError
from uumamba.core.labels import mask_of
from uumamba.core.seeding import derive_generator
from uumamba.inference.calibration import Calibration
from uumamba.inference.scores import label_map_of
from uumamba.inference.voxel_sample import NEAR_MM, VoxelSample
from uumamba.measures.expected_dice import expected_dice
from uumamba.metrics.calibration import Reliability, reliability, total

LOWEST, HIGHEST = 0.05, 20.0
"""Where the temperature is looked for."""

REGION = f"within {NEAR_MM:g} mm of a structure"
_SEED = 0
_TOLERANCE = 1e-4

Samples = Mapping[str, VoxelSample]


@dataclass(frozen=True)
class Judged:
    """Reliability `near` structures, and over all voxels (`everywhere`), at one temperature or at several."""

    near: Reliability
    everywhere: Reliability

    def __add__(self, other: "Judged") -> "Judged":
        """Of both sets of cases together."""
        return Judged(self.near + other.near, self.everywhere + other.everywhere)


@dataclass(frozen=True)
class CrossFit:
    """Two temperatures, each fitted on one half of the patients, and how the other half fared with it."""

    temperatures: tuple[float, float]
    judged: Judged


@dataclass(frozen=True)
class Fit:
    """A temperature, the same cases `before` (at 1) and `after`, and other patients than it was fitted on.

    `crossed` is None if there is only one patient, or if a half has no voxel near structures.
    """

    cases: tuple[str, ...]
    temperature: float
    before: Judged
    after: Judged
    crossed: CrossFit | None

    @property
    def is_at_limit(self) -> bool:
        """Whether the best temperature lies beyond those that are looked at, as with a network that is never wrong."""
        return not LOWEST * 1.01 < self.temperature < HIGHEST / 1.01

    @property
    def calibration(self) -> Calibration:
        """What a bundle keeps of it."""
        return Calibration(
            temperature=self.temperature,
            cases=self.cases,
            region=REGION,
            ece_before=self.before.near.ece,
            ece_after=self.after.near.ece,
            ece_cross_fitted=None if self.crossed is None else self.crossed.judged.near.ece,
            nll_before=self.before.near.mean_nll,
            nll_after=self.after.near.mean_nll,
        )


def calibrate(samples: Samples, patients: Mapping[str, str]) -> Fit:
    """Fit the temperature on all cases, and for an honest figure on either half of the patients.

    `patients` names each case's patient; a case that it lacks is a patient of its own. Raises `InputError` if no case
    has a voxel near structures whose true class is known, `UumambaError` if the network's output is not finite.
    """
    broken = [case for case, sample in samples.items() if not np.isfinite(sample.logits).all()]
    if broken:
        raise UumambaError(
            f"{broken[0]}: the network's output is not finite (in {len(broken)} of {len(samples)} cases), so its "
            "probabilities cannot be calibrated; train it again"
        )
    if not _near_voxels(samples):
        raise InputError("no voxel of these cases lies near a structure and has a reference, so nothing is calibrated")
    temperature = fit_temperature(samples)
    return Fit(
        cases=tuple(samples),
        temperature=temperature,
        before=judge(samples, 1.0),
        after=judge(samples, temperature),
        crossed=_cross_fit(samples, patients),
    )


def fit_temperature(samples: Samples) -> float:
    """The temperature that minimises the mean negative log likelihood near structures; at 1 they count as they are."""

    asked = [question for sample in samples.values() for question in sample.questions]

    def loss(log_temperature: float) -> float:
        """The mean negative log likelihood, over the temperature's logarithm."""
        temperature = exp(log_temperature)
        return sum(_nll(question, temperature) for question in asked)

    bounds = (log(LOWEST), log(HIGHEST))
    return float(exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE}).x))


def judge(samples: Samples, temperature: float) -> Judged:
    """Reliability of all cases' probabilities at a temperature."""
    near, everywhere = [], []
    for question in (question for sample in samples.values() for question in sample.questions):
        parts = [_reliability(question, chosen, temperature) for chosen in (question.near, ~question.near)]
        near.append(parts[0])
        everywhere.append(total(parts))
    return Judged(total(near), total(everywhere))


def expected_dice_of(sample: VoxelSample, output: int, temperature: float) -> float | None:
    """The Dice that the mask of the structure of an output is expected to have by the probabilities; None without.

    The mask is what the label map holds: the voxels of the likeliest class, or those with one of a region's numbers.
    """
    scaled = sample.logits / np.float32(temperature)
    if sample.regions is None:
        probability, mask = softmax(scaled, axis=1)[:, output], sample.logits.argmax(1) == output
    else:
        label_map = label_map_of(torch.from_numpy(sample.logits), sample.regions, dim=1).numpy()
        probability, mask = expit(scaled[:, output]), mask_of(label_map, list(sample.regions.members.values())[output])
    weights = sample.weights
    inside = float(weights[mask] @ probability[mask])
    return expected_dice(inside, float(weights[mask].sum()), float(weights @ probability))


def _cross_fit(samples: Samples, patients: Mapping[str, str]) -> CrossFit | None:
    names = sorted({patients.get(case, case) for case in samples})
    shuffled = derive_generator(_SEED, "calibration halves").permutation(names)
    first = set(shuffled[: len(names) // 2])
    one = {case: sample for case, sample in samples.items() if patients.get(case, case) in first}
    other = {case: sample for case, sample in samples.items() if case not in one}
    if not (_near_voxels(one) and _near_voxels(other)):
        return None
    temperatures = (fit_temperature(one), fit_temperature(other))
    return CrossFit(temperatures, judge(other, temperatures[0]) + judge(one, temperatures[1]))


def _near_voxels(samples: Samples) -> int:
    return sum(int(sample.near.sum()) for sample in samples.values())


def _nll(sample: VoxelSample, temperature: float) -> float:
    logits = sample.logits[sample.near] / np.float32(temperature)
    own = np.take_along_axis(logits, sample.reference[sample.near, None].astype(np.intp), axis=1)[:, 0]
    lost = logsumexp(logits, axis=1) - own if len(logits) else own
    return float(sample.weights[sample.near] @ lost.astype(np.float64))


def _reliability(sample: VoxelSample, chosen: np.ndarray, temperature: float) -> Reliability:
    return reliability(
        sample.logits[chosen], sample.reference[chosen], weights=sample.weights[chosen], temperature=temperature
    )
