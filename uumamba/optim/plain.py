"""The plain rule: the gradient where we stand."""

from typing import Literal

from uumamba.core.settings import Settings
from uumamba.optim.step import Rule, Step


def plain() -> Rule:
    """One evaluation per step: the optimizer alone."""
    return Step.grad


class PlainSettings(Settings):
    """The optimizer alone."""

    name: Literal["plain"] = "plain"

    def build(self) -> Rule:
        """Build the rule."""
        return plain()
