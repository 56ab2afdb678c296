"""Post-processing is chosen on whole validation cases, from label maps that the validation left behind."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from uumamba.data.datasets.anatomy import Anatomy
from uumamba.data.plan import Plan
from uumamba.data.store import PreprocessedStore
from uumamba.inference.packed_labels import PackedLabels
from uumamba.inference.postprocessing_choice import Choice, ValidationCase, choose_postprocessing
from uumamba.training.validation import CaseValidation


def choose(validated: Mapping[str, CaseValidation], store: PreprocessedStore, plan: Plan, anatomy: Anatomy) -> Choice:
    """Which steps help on these cases, whose label maps were kept, on the plan's grid."""
    readers = [
        partial(_read, found.prediction, store, case, plan)
        for case, found in validated.items()
        if found.prediction is not None
    ]
    return choose_postprocessing(readers, plan.labels, anatomy)


def _read(prediction: PackedLabels, store: PreprocessedStore, case: str, plan: Plan) -> ValidationCase:
    """One case with its axes turned back from the network's to (x, y, z)."""
    back = np.argsort(plan.axes)
    spacing = store.record(case).spacing_mm
    _, reference = store.read_case(case)
    return ValidationCase(
        prediction=np.ascontiguousarray(prediction.unpack().transpose(back)),
        reference=np.ascontiguousarray(reference[0].transpose(back)),
        spacing_mm=(spacing[back[0]], spacing[back[1]], spacing[back[2]]),
    )
