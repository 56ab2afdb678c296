"""A check whose process does not survive one file; alone here, because its process imports all that is beside it."""

import os
import signal
from dataclasses import dataclass

from uumamba.data.case import Case
from uumamba.data.checks.facts import CaseCheck, CaseFacts


@dataclass(frozen=True)
class Deadly(CaseCheck):
    """Aborts at the label map case03.nii.gz, as a careless reader may."""

    def __call__(self, case: Case) -> CaseFacts:
        """Check the case, or die."""
        if case.label_map is not None and case.label_map.name == "case03.nii.gz":
            os.kill(os.getpid(), signal.SIGABRT)
        return super().__call__(case)
