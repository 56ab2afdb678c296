"""The loss scale of float16 training."""

from dataclasses import dataclass


@dataclass
class LossScale:
    """A factor on the loss that keeps small float16 gradients above zero (Micikevicius et al., 2018).

    It halves after a step with a non-finite gradient and doubles after `patience` good steps in a row. It is always a
    power of two, so that scaling and unscaling change no bit. Our own rather than torch's `GradScaler`, which would
    unscale and check once per optimizer step: a rule needs true gradients after every evaluation.
    """

    value: float = 2.0**16
    patience: int = 2000
    good_steps: int = 0

    def update(self, *, finite: bool) -> None:
        """Adapt to a step that was finite, or not."""
        self.good_steps = self.good_steps + 1 if finite else 0
        if not finite:
            self.value /= 2
        elif self.good_steps == self.patience:
            self.value, self.good_steps = self.value * 2, 0
