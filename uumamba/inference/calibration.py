"""How far a network's probabilities may be believed: the temperature that its scores are divided by."""

from pydantic import NonNegativeFloat, PositiveFloat

from uumamba.core.settings import Settings


class Calibration(Settings):
    """One temperature for all classes (Guo et al. 2017, arXiv 1706.04599), and what it was fitted on.

    Probabilities are softmax(logits / temperature), of regions sigmoid(logits / temperature); the label map is the same
    at every temperature. At 1 nothing was fitted. `cases` are the names of the cases, none of which the network was
    trained on; `ece` is the expected calibration error and `nll` the mean negative log likelihood (nats) of their
    voxels in `region` (of regions the mean over these too), at temperature 1 and after; `ece_cross_fitted` is that of
    each half of the patients at the temperature of the other half.
    """

    temperature: PositiveFloat = 1.0
    cases: tuple[str, ...] = ()
    region: str | None = None
    ece_before: NonNegativeFloat | None = None
    ece_after: NonNegativeFloat | None = None
    ece_cross_fitted: NonNegativeFloat | None = None
    nll_before: NonNegativeFloat | None = None
    nll_after: NonNegativeFloat | None = None

    @property
    def sentence(self) -> str:
        """What is known of the probabilities, for the model card."""
        if self.ece_before is None or self.ece_after is None:
            return "Not calibrated: how far they may be believed is not known."
        return (
            f"Temperature {self.temperature:.3f}, fitted on {len(self.cases)} cases that were held out; expected "
            f"calibration error {self.region} {self.ece_before:.4f} before, {self.ece_after:.4f} after."
        )
