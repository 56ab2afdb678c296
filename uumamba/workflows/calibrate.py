"""uumamba calibrate: how far a bundle's probabilities may be believed and which post-processing helps it.

Both are found on cases that it was not trained on.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from uumamba.core.device import choose_device
from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.core.machine import describe_run
from uumamba.data.fingerprint import Fingerprint, fingerprint_of_store
from uumamba.data.plan import Plan
from uumamba.data.store import PreprocessedStore
from uumamba.data.work_folder import WorkFolder, work_folder_of
from uumamba.inference.bundle import Bundle, build_network, read_bundle, write_bundle
from uumamba.inference.region import finder_of, search
from uumamba.inference.voxel_sample import sample_size
from uumamba.training.validation import CaseValidation, validate_volumes
from uumamba.workflows.calibration_result import CalibrationResult, conclude, show, write_calibration
from uumamba.workflows.validated_choice import choose

_AGREED = ("labels", "channels", "orientation", "axes", "spacing_mm")
_NAMED = 3


def calibrate(
    model: Path,
    work: Path,
    dataset_name: str,
    *,
    fold: str | None = None,
    output: Path | None = None,
    device_name: str = "auto",
) -> CalibrationResult:
    """Fit a bundle's temperature and choose its post-processing on the validation cases of `fold`, else of its own.

    The bundle keeps both, and gets a fingerprint if it has none. Writes `calibration.json`, `reliability.png` and
    `confidence.png` beside it, or into `output`, and prints tables. Raises `InputError` if the fold holds out no case,
    if the bundle was trained on one of its cases or on their patients, or if the cases were preprocessed otherwise than
    the bundle asks for.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; name a folder with --output")
    bundle = read_bundle(model)
    plan = bundle.description.plan
    folder = work_folder_of(work, dataset_name)
    dataset, store = folder.read_description(), folder.store(plan.configuration)
    fold = _fold_of(bundle) if fold is None else fold
    cases = _held_out_cases(bundle, folder, fold)
    _require_same_preprocessing(bundle, folder.read_plan(plan.configuration))
    device = choose_device(device_name)
    validated = _validate(bundle, store, cases, device)
    result = conclude(validated, plan.labels, folder.read_patients())
    choice = choose(validated, store, plan, dataset.anatomy)
    model_before = {"path": str(bundle.path), "sha256_before": bundle.sha256}
    origin = {**describe_run(device), "model": model_before, "dataset": dataset.name, "fold": fold}
    place = bundle.path.parent if output is None else output
    write_calibration(result, choice, place, title=f"{_name_of(bundle)}, fold {fold}", origin=origin)
    found = {"calibration": result.fit.calibration, "postprocessing": choice.postprocessing}
    description = bundle.description.model_copy(update=found | {"fingerprint": _fingerprint_of(bundle, store)})
    write_bundle(bundle.path, state=bundle.state, roi_state=bundle.roi_state, description=description)
    show(result, choice)
    log.info("done: %s keeps it; %s and pictures tell more", bundle.path, place / "calibration.json")
    return result


def _validate(
    bundle: Bundle, store: PreprocessedStore, cases: Sequence[str], device: torch.device
) -> dict[str, CaseValidation]:
    """What the network makes of whole cases, each in the region that its coarse network finds, if it has one."""
    plan = bundle.description.plan
    network = build_network(bundle).to(device)
    size = sample_size(len(cases), plan.labels.outputs)
    finder = finder_of(bundle, device)
    find = None if finder is None else partial(search, [finder], patch_size=plan.patch_size)
    return validate_volumes(network, store, cases, plan, device, size=size, find=find)


def _fingerprint_of(bundle: Bundle, store: PreprocessedStore) -> Fingerprint | None:
    """The bundle's own, else that of its training cases if they are all stored."""
    description = bundle.description
    seen = description.training.cases
    missing = sorted(set(seen) - set(store.cases()))
    if description.fingerprint is not None:
        return description.fingerprint
    if seen and not missing:
        return fingerprint_of_store(store, seen, description.plan)
    why = f"{len(missing)} of its training cases are not stored" if seen else "it does not name its training cases"
    log.warning("%s: gets no fingerprint, so `uumamba infer` cannot compare images: %s", bundle.path, why)
    return None


def _name_of(bundle: Bundle) -> str:
    """For pictures: the run's name, or that of the file if it lies elsewhere."""
    folder = bundle.path.resolve().parent
    return folder.parent.name if folder.name.startswith("fold_") else bundle.path.stem


def _fold_of(bundle: Bundle) -> str:
    """The fold that the bundle was trained on."""
    fold = bundle.description.training.fold
    if fold is None:
        raise InputError(f"{bundle.path}: does not say on which fold it was trained; name a fold with --fold")
    if str(fold) == "all":
        raise InputError(
            f"{bundle.path}: was trained on every case (fold all), so none is left to calibrate it with; calibrate the "
            "bundle of a fold that holds cases out"
        )
    return str(fold)


def _held_out_cases(bundle: Bundle, folder: WorkFolder, fold: str) -> tuple[str, ...]:
    """The fold's validation cases, none of whose patients the bundle was trained on."""
    cases = folder.read_fold(fold).validation
    if not cases:
        raise InputError(f"--fold {fold}: holds out no case to calibrate with; name a fold from 0")
    seen = bundle.description.training.cases
    if not seen:
        log.warning(
            "%s does not name the cases that it was trained on: that it never saw those of fold %s is not checked",
            bundle.path,
            fold,
        )
    leaked = _leaked(cases, seen, folder.read_patients())
    if leaked:
        more = f" and {len(leaked) - _NAMED} more" if len(leaked) > _NAMED else ""
        raise InputError(
            f"{bundle.path}: was trained on {len(leaked)} of the {len(cases)} cases of fold {fold}, or on their "
            f"patients ({', '.join(leaked[:_NAMED])}{more}), of which it is surer than of others; leave --fold out"
        )
    return cases


def _leaked(cases: tuple[str, ...], seen: tuple[str, ...], patients: Mapping[str, str]) -> list[str]:
    known = {patients.get(case, case) for case in seen}
    return [case for case in cases if case in seen or patients.get(case, case) in known]


def _require_same_preprocessing(bundle: Bundle, planned: Plan) -> None:
    for name in _AGREED:
        ours, theirs = getattr(bundle.description.plan, name), getattr(planned, name)
        if ours != theirs:
            raise InputError(
                f"{bundle.path}: its plan has other {name} ({ours}) than the preprocessed cases ({theirs}); preprocess "
                "the data as this model was trained, in another --work"
            )
